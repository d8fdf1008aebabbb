//! Stored readings that a rule is tried on, a page at a time.

use crate::{Db, StoreError, reading, session::OwnerId};
use domain::{Timestamp, alert::Measured, device::DeviceId, reading::Metric};
use sqlx::Row as _;

/// Readings of a page: some hundred kilobytes, read in some ten milliseconds.
const PAGE: i64 = 10_000;

/// What was measured of a metric by a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviewSeries(Option<i32>);

/// The readings of a metric that a device has; none where the owner has no such device.
pub async fn preview_series(
    db: &Db,
    owner: OwnerId,
    device: DeviceId,
    metric: &Metric,
) -> Result<Option<PreviewSeries>, StoreError> {
    db.transaction("alert_rule.preview", async |tx| {
        let statement = sqlx::query(
            "select series.id from devices
             left join series on series.device_id = devices.id and series.metric = $3
             where devices.id = $1 and devices.owner_id = $2 and devices.deleted_at is null",
        );
        let statement = statement
            .bind(device.0)
            .bind(owner.uuid())
            .bind(metric.as_str());
        let row = tx.fetch_optional(statement).await?;
        row.map(|row| Ok(PreviewSeries(row.try_get(0)?)))
            .transpose()
    })
    .await
}

/// The next readings in `[from, end)` in the order of measurement, and where to go on, if there are more.
///
/// Each page is a transaction of its own, so that nothing is held between them.
pub async fn preview_page(
    db: &Db,
    series: PreviewSeries,
    (from, end): (Timestamp, Timestamp),
) -> Result<(Vec<Measured>, Option<Timestamp>), StoreError> {
    let PreviewSeries(Some(series)) = series else {
        return Ok((Vec::new(), None));
    };
    let readings = db.transaction("alert_rule.preview", async |tx| {
        let statement = sqlx::query(
            "select recorded_at, value::text from samples
             where series_id = $1 and recorded_at >= $2 and recorded_at < $3
             order by recorded_at limit $4",
        );
        let statement = statement.bind(series).bind(from).bind(end).bind(PAGE);
        let rows = tx.fetch_all(statement).await?;
        let reading = |row: &sqlx::postgres::PgRow| {
            Ok(Measured {
                at: row.try_get(0)?,
                value: reading::value(row.try_get(1)?)?,
            })
        };
        rows.iter()
            .map(reading)
            .collect::<Result<Vec<_>, StoreError>>()
    });
    let readings = readings.await?;
    let is_full = i64::try_from(readings.len()) == Ok(PAGE);
    let last = readings.last().filter(|_| is_full);
    let next = last.map(|it| it.at + chrono::TimeDelta::microseconds(1));
    Ok((readings, next))
}
