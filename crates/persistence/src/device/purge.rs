//! Removing what deleted devices leave behind, in steps that nobody notices.

use crate::{Db, StoreError, Tx};
use sqlx::Row;
use uuid::Uuid;

/// Most samples or alerts that one step removes.
const STEP: i64 = 10_000;

/// Takes one step of removing a deleted device, and answers whether there may be more to do.
///
/// A device is marked deleted under the lock that ingest holds while it writes, so every
/// transaction that could write to it has ended by the time that the mark is seen here.
pub async fn purge(db: &Db) -> Result<bool, StoreError> {
    db.transaction("device.purge", async |tx| {
        let next = sqlx::query(
            "select id from devices where deleted_at is not null
             order by deleted_at limit 1 for update skip locked",
        );
        let Some(row) = tx.fetch_optional(next).await? else {
            return Ok(false);
        };
        let device: Uuid = row.try_get(0)?;
        let series = sqlx::query("select id from series where device_id = $1 limit 1");
        match tx.fetch_optional(series.bind(device)).await? {
            Some(row) => purge_series(tx, row.try_get(0)?).await?,
            None => purge_alerts(tx, device).await?,
        }
        Ok(true)
    })
    .await
}

/// Removes the oldest samples of a series, and the series when those were all.
async fn purge_series(tx: &Tx, series: i32) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "delete from samples where series_id = $1 and recorded_at < coalesce((
             select recorded_at from samples where series_id = $1
             order by recorded_at offset $2 limit 1), 'infinity')",
    );
    if tx.execute(statement.bind(series).bind(STEP)).await? < STEP.unsigned_abs() {
        let statement = sqlx::query("delete from stale_hours where series_id = $1");
        tx.execute(statement.bind(series)).await?;
        let statement = sqlx::query("delete from series where id = $1");
        tx.execute(statement.bind(series)).await?;
    }
    Ok(())
}

/// Removes what happened to alerts, then alerts and changes of status, and when those were all the device itself,
/// with its rules by foreign key.
async fn purge_alerts(tx: &Tx, device: Uuid) -> Result<(), StoreError> {
    let mut is_all = true;
    for sql in [
        "delete from alert_transitions where id in (
             select transition.id from alerts join alert_transitions as transition on alert_id = alerts.id
             where device_id = $1 limit $2)",
        "delete from alerts where id in (select id from alerts where device_id = $1 limit $2)",
        "delete from device_status_changes where id in (
             select id from device_status_changes where device_id = $1 limit $2)",
    ] {
        let statement = sqlx::query(sql).bind(device).bind(STEP);
        if is_all {
            is_all = tx.execute(statement).await? < STEP.unsigned_abs();
        }
    }
    if is_all {
        let statement = sqlx::query("delete from devices where id = $1");
        tx.execute(statement.bind(device)).await?;
    }
    Ok(())
}
