//! Step 1: the devices, held so that they are neither disabled nor deleted, nor their rules edited,
//! before this commits.

use super::literal;
use crate::{StoreError, db::Done};
use chrono::TimeDelta;
use domain::Timestamp;
use sqlx::Row as _;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How often `last_seen_at` is written, since each time costs as much as storing a reading.
const TOUCH_EVERY: TimeDelta = TimeDelta::seconds(1);

/// What is true of the devices of a group, as long as its transaction lasts.
#[derive(Debug, Default)]
pub(super) struct Locked {
    /// The devices that may post, in the order of their identifiers.
    pub(super) enabled: Vec<Uuid>,
    /// Those that are there and may not, in the same order.
    pub(super) disabled: Vec<Uuid>,
    /// Those of `enabled` whose armed rules want to see their readings, each with the version of its rules.
    pub(super) armed: BTreeMap<Uuid, i64>,
    /// Those of `enabled` that are to be marked as online and seen.
    pub(super) due: Vec<Uuid>,
    /// Those of `due` that were offline.
    pub(super) woken: Vec<Uuid>,
    /// The number of this transaction, which is the version of the rules of devices for which it changes anything.
    pub(super) transaction: i64,
}

/// Locks devices in the order of their identifiers, so that two writers with the same devices wait
/// for each other instead of deadlocking.
pub(super) fn statement(devices: &[Uuid], now: Timestamp) -> String {
    let devices = literal::uuids(devices);
    let stale = literal::instant((now - TOUCH_EVERY).timestamp_micros());
    format!(
        "select id, enabled, armed, status <> 'online' or last_seen_at is null or last_seen_at <= {stale}, \
                status <> 'online', rules_version, pg_current_xact_id()::text::bigint from devices where id = any({devices}) and deleted_at is null order by id for no key update"
    )
}

/// Reads what [`statement`] answered.
pub(super) fn read(done: &Done) -> Result<Locked, StoreError> {
    let mut locked = Locked::default();
    for row in &done.rows {
        let (id, enabled): (Uuid, bool) = (row.try_get(0)?, row.try_get(1)?);
        locked.transaction = row.try_get(6)?;
        if !enabled {
            locked.disabled.push(id);
            continue;
        }
        locked.enabled.push(id);
        if row.try_get(2)? {
            locked.armed.insert(id, row.try_get(5)?);
        }
        if row.try_get(3)? {
            locked.due.push(id);
        }
        if row.try_get(4)? {
            locked.woken.push(id);
        }
    }
    Ok(locked)
}

/// Tells since when devices are online that were offline.
pub(super) fn wake(devices: &[Uuid], now: Timestamp) -> String {
    format!(
        "insert into device_status_changes (device_id, status, at) \
         select id, 'online', {now} from unnest({devices}) as id",
        now = literal::instant(now.timestamp_micros()),
        devices = literal::uuids(devices),
    )
}

/// Marks devices as online and seen.
pub(super) fn touch(devices: &[Uuid], now: Timestamp) -> String {
    let devices = literal::uuids(devices);
    let now = literal::instant(now.timestamp_micros());
    format!(
        "update devices set status = 'online', last_seen_at = greatest(last_seen_at, {now}), \
             check_at = coalesce(check_at, {now} + offline_after * interval '1 second') \
         where id = any({devices})"
    )
}
