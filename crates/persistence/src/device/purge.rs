//! Removing what deleted devices leave behind, in steps that nobody notices.

use crate::{Db, StoreError, Tx};
use sqlx::Row;
use uuid::Uuid;

/// Most samples that one step removes.
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
        if delete_samples(tx, device).await? < STEP.unsigned_abs() {
            delete_rows(tx, device).await?;
        }
        Ok(true)
    })
    .await
}

async fn delete_samples(tx: &Tx, device: Uuid) -> Result<u64, StoreError> {
    let statement = sqlx::query(
        "delete from samples where (series_id, recorded_at) in (
             select sample.series_id, sample.recorded_at
             from series
             cross join lateral (
                 select series_id, recorded_at from samples where series_id = series.id limit $2
             ) as sample
             where series.device_id = $1
             limit $2)",
    );
    tx.execute(statement.bind(device).bind(STEP)).await
}

/// Removes the device itself; its rules and alerts go with it by foreign key.
async fn delete_rows(tx: &Tx, device: Uuid) -> Result<(), StoreError> {
    for statement in [
        "delete from series where device_id = $1",
        "delete from devices where id = $1",
    ] {
        tx.execute(sqlx::query(statement).bind(device)).await?;
    }
    Ok(())
}
