//! Readings as they were stored.

use crate::{Db, StoreError, Tx, device, session::OwnerId};
use domain::{
    Timestamp,
    decimal::ExactDecimal,
    device::DeviceId,
    page::{Cursor, Order, Page, PageLimit},
    reading::{Metric, MetricSummary, Reading, TimeRange, earliest},
};
use sqlx::{AssertSqlSafe, Row, postgres::PgRow};

/// How far back [`latest`] looks at first.
const RECENT: chrono::TimeDelta = chrono::TimeDelta::days(35);

/// Where a page of readings begins: after this time of measurement, and series of the same time.
pub type ReadingKey = (Timestamp, i32);

/// Which readings to list.
#[derive(Debug, Clone, Default)]
pub struct ReadingFilter {
    /// Only these metrics; all where there is none.
    pub metrics: Vec<Metric>,
    /// Only readings measured in this range.
    pub range: TimeRange,
    /// Oldest or newest first.
    pub order: Order,
}

/// A page of a device's readings by time of measurement; none where the owner has no such device.
///
/// Each series contributes at most a page from its index, so the cost does not grow with history.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    filter: &ReadingFilter,
    page: (Option<Cursor<ReadingKey>>, PageLimit),
) -> Result<Option<Page<Reading, ReadingKey>>, StoreError> {
    let (after, limit) = page;
    let (beyond, direction) = match filter.order {
        Order::Asc => (">", "asc"),
        Order::Desc => ("<", "desc"),
    };
    let sql = format!(
        "select series.metric, sample.recorded_at, sample.value::text, series.id
         from series
         cross join lateral (
             select recorded_at, value from samples
             where series_id = series.id and recorded_at >= $3 and recorded_at < $4
               and ($5::timestamptz is null or recorded_at {beyond} $5
                    or (recorded_at = $5 and series.id {beyond} $6))
             order by recorded_at {direction} limit $7
         ) as sample
         where series.device_id = $1 and (cardinality($2::text[]) = 0 or series.metric = any($2))
         order by sample.recorded_at {direction}, series.id {direction} limit $7"
    );
    let key = after.map(|Cursor(key)| key);
    let range = clamp(filter, key);
    db.transaction("reading.list", async |tx| {
        if !device::exists(tx, owner, id).await? {
            return Ok(None);
        }
        let statement = sqlx::query(AssertSqlSafe(sql.as_str()))
            .bind(id.0)
            .bind(names(&filter.metrics))
            .bind(range.0)
            .bind(range.1)
            .bind(key.map(|key| key.0))
            .bind(key.map(|key| key.1))
            .bind(i64::from(limit.get()) + 1);
        let rows = tx.fetch_all(statement).await?;
        let items = rows
            .iter()
            .map(|row| Ok((reading(row)?, row.try_get::<i32, _>(3)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let page = Page::cut(items, limit, |(reading, series)| {
            (reading.recorded_at, *series)
        });
        let items = page.items.into_iter().map(|(reading, _)| reading).collect();
        Ok(Some(Page {
            items,
            next: page.next,
        }))
    })
    .await
}

/// The range of a query, cut at the cursor so that the index begins reading there.
fn clamp(filter: &ReadingFilter, key: Option<ReadingKey>) -> (Timestamp, Timestamp) {
    let start = filter.range.start.unwrap_or_else(earliest);
    let end = filter.range.end.unwrap_or(far_future());
    match (key, filter.order) {
        (None, _) => (start, end),
        (Some((at, _)), Order::Asc) => (start.max(at), end),
        (Some((at, _)), Order::Desc) => (start, end.min(at + chrono::TimeDelta::microseconds(1))),
    }
}

/// Later than any reading: they are at most ten minutes ahead of the clock.
fn far_future() -> Timestamp {
    earliest() + chrono::TimeDelta::days(365 * 1000)
}

/// The first instant that is neither before `now` nor before any reading which the device has at
/// this moment; none where the owner has no such device.
///
/// Clocks of devices and of other instances may be ahead, so `now` alone would hide what is stored.
pub async fn horizon(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    db.transaction("reading.horizon", async |tx| {
        if !device::exists(tx, owner, id).await? {
            return Ok(None);
        }
        let ahead = newest(tx, id, &[], None, (now, far_future())).await?;
        let ahead = ahead.into_iter().filter_map(|(_, reading)| reading);
        let after = ahead.map(|it| it.recorded_at + chrono::TimeDelta::microseconds(1));
        Ok(Some(after.fold(now, Timestamp::max)))
    })
    .await
}

/// The latest measured reading of each metric, by name; none where the owner has no such device.
///
/// The default partition has no place in the order of time, so that over all partitions the planner
/// looks into every single one for each series. So the last weeks are asked first, and only series
/// that were silent are looked for in ever longer stretches before them.
pub async fn latest(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    metrics: &[Metric],
    now: Timestamp,
) -> Result<Option<Vec<Reading>>, StoreError> {
    db.transaction("reading.latest", async |tx| {
        if !device::exists(tx, owner, id).await? {
            return Ok(None);
        }
        let (mut found, mut silent): (Vec<Reading>, Option<Vec<i32>>) = (Vec::new(), None);
        let (mut end, mut stretch) = (far_future(), RECENT);
        let mut start = now - stretch;
        while end > earliest() && silent.as_ref().is_none_or(|it| !it.is_empty()) {
            let mut missing = Vec::new();
            for (series, reading) in
                newest(tx, id, metrics, silent.as_deref(), (start, end)).await?
            {
                match reading {
                    Some(reading) => found.push(reading),
                    None => missing.push(series),
                }
            }
            silent = Some(missing);
            stretch = stretch * 4;
            (start, end) = (start - stretch, start);
        }
        found.sort_unstable_by(|a, b| a.metric.cmp(&b.metric));
        Ok(Some(found))
    })
    .await
}

/// The newest reading in a range of each series, or of those of some metrics or identifiers.
async fn newest(
    tx: &Tx,
    id: DeviceId,
    metrics: &[Metric],
    among: Option<&[i32]>,
    range: (Timestamp, Timestamp),
) -> Result<Vec<(i32, Option<Reading>)>, StoreError> {
    let statement = sqlx::query(
        "select series.metric, sample.recorded_at, sample.value::text, series.id
         from series
         left join lateral (
             select recorded_at, value from samples
             where series_id = series.id and recorded_at >= $3 and recorded_at < $4
             order by recorded_at desc limit 1
         ) as sample on true
         where series.device_id = $1 and (cardinality($2::text[]) = 0 or series.metric = any($2))
           and ($5::integer[] is null or series.id = any($5))",
    )
    .bind(id.0)
    .bind(names(metrics))
    .bind(range.0)
    .bind(range.1)
    .bind(among);
    let rows = tx.fetch_all(statement).await?;
    let newest = |row: &PgRow| {
        let at: Option<Timestamp> = row.try_get(1)?;
        Ok((row.try_get(3)?, at.map(|_| reading(row)).transpose()?))
    };
    rows.iter().map(newest).collect()
}

/// The metrics of a device by name; none where the owner has no such device.
pub async fn metrics(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
) -> Result<Option<Vec<MetricSummary>>, StoreError> {
    db.transaction("reading.metrics", async |tx| {
        if !device::exists(tx, owner, id).await? {
            return Ok(None);
        }
        summaries(tx, id).await.map(Some)
    })
    .await
}

async fn summaries(tx: &Tx, id: DeviceId) -> Result<Vec<MetricSummary>, StoreError> {
    let statement = sqlx::query(
        "select series.metric, oldest.recorded_at, newest.recorded_at
         from series
         cross join lateral (
             select recorded_at from samples where series_id = series.id order by recorded_at limit 1
         ) as oldest
         cross join lateral (
             select recorded_at from samples where series_id = series.id order by recorded_at desc limit 1
         ) as newest
         where series.device_id = $1
         order by series.metric collate \"C\"",
    );
    let rows = tx.fetch_all(statement.bind(id.0)).await?;
    let summary = |row: &PgRow| {
        Ok(MetricSummary {
            metric: metric(row.try_get(0)?)?,
            first_recorded_at: row.try_get(1)?,
            last_recorded_at: row.try_get(2)?,
        })
    };
    rows.iter().map(summary).collect()
}

pub(crate) fn names(metrics: &[Metric]) -> Vec<&str> {
    metrics.iter().map(Metric::as_str).collect()
}

pub(crate) fn metric(name: &str) -> Result<Metric, StoreError> {
    Metric::parse(name).map_err(|error| StoreError::corrupt("series.metric", error))
}

/// Reads a `numeric` that was selected as text.
///
/// Numbers travel as text in both directions: the driver's own conversion forgets the digits after
/// the point of a zero, and computes with rounding where text is exact.
pub(crate) fn value(text: &str) -> Result<ExactDecimal, StoreError> {
    ExactDecimal::parse(text).map_err(|error| StoreError::corrupt("a number", error))
}

/// Reads metric, time and value from the first three columns.
fn reading(row: &PgRow) -> Result<Reading, StoreError> {
    Ok(Reading {
        metric: metric(row.try_get(0)?)?,
        recorded_at: row.try_get(1)?,
        value: value(row.try_get(2)?)?,
    })
}
