//! Devices that have fallen silent.
//!
//! A device that is online has a time at which to look at it again, which readings do not move: so it is written
//! once for each `offline_after`, and a look for those that are due is one query of an index.

use crate::{Db, StoreError, Tx};
use domain::{Timestamp, device::DeviceStatus};

/// Most devices that are looked at in one transaction.
const STEP: i64 = 500;

/// Held by the one instance that looks.
const LOCK: i64 = 0x5265_6164_6f75_7405;

/// Marks devices as offline that were silent for their `offline_after`, and answers whether there may be more.
///
/// The time of the change is when their patience ended, however late it was found out. What was seen later than
/// now, since some clock was ahead, counts as seen now.
pub async fn find_offline(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    db.transaction("device.offline", async |tx| {
        let due = "select exists (select from devices where check_at <= $1)";
        if !tx.is_due(due, now, LOCK).await? {
            return Ok(false);
        }
        Ok(look(tx, now).await? == STEP.unsigned_abs())
    })
    .await
}

/// Looks at the devices that are due and that nobody else holds.
async fn look(tx: &Tx, now: Timestamp) -> Result<u64, StoreError> {
    let statement = sqlx::query(
        "with due as (
             select id, least(last_seen_at, $1) + offline_after * interval '1 second' as silent_at,
                    deleted_at is null and status = $3 as counts
             from devices where check_at <= $1 order by check_at limit $2
             for no key update skip locked),
         looked_at as (
             update devices set
                 status = case when counts and silent_at <= $1 then $4 else status end,
                 last_seen_at = least(last_seen_at, $1),
                 check_at = case when counts and silent_at > $1 then silent_at end
             from due where devices.id = due.id
             returning due.id, counts and silent_at <= $1 as is_silent, silent_at),
         told as (
             insert into device_status_changes (device_id, status, at)
             select id, $4, silent_at from looked_at where is_silent)
         select id from looked_at",
    );
    let statement = statement
        .bind(now)
        .bind(STEP)
        .bind(DeviceStatus::Online.as_str())
        .bind(DeviceStatus::Offline.as_str());
    Ok(tx.fetch_all(statement).await?.len() as u64)
}
