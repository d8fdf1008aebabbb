//! Rollups: always what the samples come to, whether they are read or hours that were kept of them.

mod bucket;
mod hours;
mod plan;
mod row;
mod statement;

pub use hours::{Summing, step};

use crate::{
    Db, StoreError, Tx,
    db::Done,
    ingest::literal,
    reading::{metric, names},
    session::OwnerId,
};
use chrono::TimeDelta;
use domain::{
    device::DeviceId,
    reading::Metric,
    rollup::{RollupQuery, SeriesRollup},
};
use plan::Stale;
use sqlx::{Row, postgres::PgRow};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Readings before the end of a range that tell how far readings of a series are apart.
const SPACING_READINGS: i64 = 1_001;

/// Marks that are read as they are; where there are more, neighbours are put together first.
const FEW_MARKS: usize = 200;

/// Most stretches of hours that are looked at because they are to be summed up again; where there are more,
/// everything is read from samples.
const MOST_MARKS: usize = 20_000;

/// All statements of the transaction see the same, and partitions that they know of: the snapshot is taken after
/// the lock, for otherwise samples that move into a new partition would be seen nowhere, and before anything is
/// planned, for otherwise the first samples of a partition that the plan does not know would be left out.
const ONE_SNAPSHOT: &str = "set transaction isolation level repeatable read; \
                            lock table only samples in access share mode";

/// A metric of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Series {
    id: i32,
    device: Uuid,
    metric: Metric,
}

/// Buckets of each device and metric that was asked for, in that order, or of each metric; none where the
/// owner does not have all of these devices.
///
/// Everything is read in one snapshot.
pub async fn find(
    db: &Db,
    owner: OwnerId,
    devices: &[DeviceId],
    query: &RollupQuery,
) -> Result<Option<Vec<SeriesRollup>>, StoreError> {
    let mut seen = HashSet::new();
    let devices: Vec<Uuid> = devices
        .iter()
        .map(|id| id.0)
        .filter(|id| seen.insert(*id))
        .collect();
    let found = db.transaction("rollup.find", async |tx| {
        let Some(known) = look_up(tx, owner, &devices, query).await? else {
            return Ok(None);
        };
        let plan = plan::plan(
            query,
            &known.series,
            known.closed_hour,
            known.stale.as_ref(),
        );
        let mut rollups = empty(&devices, query);
        let groups = groups(&rollups, &known.series);
        if groups.is_empty() {
            return Ok(Some((rollups, groups, Vec::new())));
        }
        if query.completeness {
            for (id, spacing) in spacings(tx, query, &known.series).await? {
                let place = groups.get(&id).and_then(|place| rollups.get_mut(*place));
                if let Some(rollup) = place {
                    rollup.spacing = Some(together(rollup.spacing, spacing));
                }
            }
        }
        let statements = statement::statements(query, &known.series, &groups, &plan);
        let done = tx.last_message(statements).await?;
        Ok(Some((rollups, groups, done.into())))
    });
    // What is left to do needs no connection.
    let Some((mut rollups, groups, done)) = found.await? else {
        return Ok(None);
    };
    row::buckets(&done, query, &groups, &mut rollups)?;
    Ok(Some(filled(rollups, query)))
}

/// What is known before anything is summed up.
struct Known {
    series: Vec<Series>,
    closed_hour: i64,
    /// Nothing where there are too many.
    stale: Option<Stale>,
}

async fn look_up(
    tx: &Tx,
    owner: OwnerId,
    devices: &[Uuid],
    query: &RollupQuery,
) -> Result<Option<Known>, StoreError> {
    let ids = literal::uuids(devices);
    let metrics = literal::metrics(names(&query.metrics).into_iter());
    let (first, last) = plan::whole_hours(query);
    let series = format!("device_id = any({ids}) and metric = any({metrics})");
    let marks = format!(
        "stale_hours where series_id = any(array(select id from series where {series})) \
         and hour >= {first} and hour < {last}"
    );
    let statements = [
        ONE_SNAPSHOT.to_owned(),
        format!(
            "select count(*) from devices where id = any({ids}) and owner_id = '{}' and deleted_at is null",
            owner.user_id().0
        ),
        format!("select id, device_id, metric from series where {series}"),
        "select closed_hour::bigint from rollup_horizon".to_owned(),
        format!(
            "select distinct series_id, hour::bigint, hour::bigint + 1 from {marks} order by 1, 2 limit {FEW_MARKS} + 1"
        ),
    ];
    let [_, count, series, horizon, few] = tx.message(statements).await?;
    if usize::try_from(one::<i64>(&count)?) != Ok(devices.len()) {
        return Ok(None);
    }
    let marks = if few.rows.len() <= FEW_MARKS {
        few
    } else {
        many_marks(tx, &marks).await?
    };
    let mut stale = Stale::new();
    for row in &marks.rows {
        let run = (row.try_get(1)?, row.try_get(2)?);
        stale.entry(row.try_get(0)?).or_default().push(run);
    }
    let stale = (marks.rows.len() <= MOST_MARKS).then_some(stale);
    let series = series.rows.iter().map(|row| {
        Ok(Series {
            id: row.try_get(0)?,
            device: row.try_get(1)?,
            metric: metric(row.try_get(2)?)?,
        })
    });
    Ok(Some(Known {
        series: series.collect::<Result<_, StoreError>>()?,
        closed_hour: one(&horizon)?,
        stale,
    }))
}

/// Neighbours as one: what arrived late is mostly a long stretch of time.
async fn many_marks(tx: &Tx, marks: &str) -> Result<Done, StoreError> {
    let statement = format!(
        "select series_id, min(hour)::bigint, max(hour)::bigint + 1 from ( \
             select series_id, hour, hour - dense_rank() over (partition by series_id order by hour) as run \
             from {marks}) as marks \
         group by series_id, run order by 1, 2 limit {MOST_MARKS} + 1"
    );
    let [marks] = tx.message([statement]).await?;
    Ok(marks)
}

/// The only value of the only row.
fn one<'r, T>(done: &'r Done) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let row = done.rows.first();
    let row = row.ok_or_else(|| StoreError::corrupt("rollup", "an answer has no row"))?;
    Ok(row.try_get(0)?)
}

/// An entry for each device and metric, or for each metric, in the order of the question.
fn empty(devices: &[Uuid], query: &RollupQuery) -> Vec<SeriesRollup> {
    let mut metrics: Vec<&Metric> = Vec::new();
    for metric in &query.metrics {
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    let devices: Vec<Option<DeviceId>> = if query.combine {
        vec![None]
    } else {
        devices.iter().map(|id| Some(DeviceId(*id))).collect()
    };
    let rollup = |device, metric: &Metric| SeriesRollup {
        device,
        metric: metric.clone(),
        spacing: None,
        buckets: Vec::new(),
    };
    let of_device = |device: &Option<DeviceId>| {
        let device = *device;
        metrics.iter().map(move |metric| rollup(device, metric))
    };
    devices.iter().flat_map(of_device).collect()
}

/// To which entry each series belongs.
fn groups(rollups: &[SeriesRollup], series: &[Series]) -> HashMap<i32, usize> {
    let places: HashMap<(Option<Uuid>, &Metric), usize> = rollups
        .iter()
        .enumerate()
        .map(|(place, it)| ((it.device.map(|id| id.0), &it.metric), place))
        .collect();
    let place = |it: &Series| {
        let own = places.get(&(Some(it.device), &it.metric));
        own.or_else(|| places.get(&(None, &it.metric))).copied()
    };
    series
        .iter()
        .filter_map(|it| Some((it.id, place(it)?)))
        .collect()
}

fn filled(mut rollups: Vec<SeriesRollup>, query: &RollupQuery) -> Vec<SeriesRollup> {
    for rollup in &mut rollups {
        rollup.buckets = query.fill(std::mem::take(&mut rollup.buckets));
    }
    rollups
}

/// The median time between two of the last readings of each series.
async fn spacings(
    tx: &Tx,
    query: &RollupQuery,
    series: &[Series],
) -> Result<Vec<(i32, TimeDelta)>, StoreError> {
    let statement = format!(
        "select wanted.id, (extract(epoch from percentile_disc(0.5) within group (order by gap)) * 1000000)::bigint \
         from unnest({ids}) as wanted (id) \
         cross join lateral ( \
             select recorded_at - lag(recorded_at) over (order by recorded_at) as gap from ( \
                 select recorded_at from samples \
                 where series_id = wanted.id and recorded_at < {end} \
                 order by recorded_at desc limit {SPACING_READINGS}) as latest) as gaps \
         where gap is not null group by wanted.id",
        ids = literal::array(series.iter().map(|it| it.id), "integer"),
        end = literal::instant(plan::range(query).1),
    );
    let [done] = tx.message([statement]).await?;
    let spacing = |row: &PgRow| Ok((row.try_get(0)?, TimeDelta::microseconds(row.try_get(1)?)));
    done.rows.iter().map(spacing).collect()
}

/// How far readings are apart where those of another series come between.
fn together(before: Option<TimeDelta>, other: TimeDelta) -> TimeDelta {
    let Some(before) = before else { return other };
    let micros = |span: TimeDelta| i128::from(span.num_microseconds().unwrap_or(i64::MAX));
    let (one, two) = (micros(before), micros(other));
    let both = (one * two).checked_div(one + two).unwrap_or(0);
    TimeDelta::microseconds(i64::try_from(both).unwrap_or(i64::MAX))
}
