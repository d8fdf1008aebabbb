//! The common case in one message: a few readings of known devices without armed rules.

use super::{group::Row, literal, store::Before};
use crate::{StoreError, db::Done, reading::value};
use domain::Timestamp;
use sqlx::Row as _;
use uuid::Uuid;

/// Calls the function that locks, stores and touches, whose plans each server connection keeps.
pub(super) fn statement(devices: &[Uuid], rows: &[&Row], now: Timestamp) -> String {
    format!(
        "select * from store_readings({devices}, {now}, {rows})",
        devices = literal::uuids(devices),
        now = literal::instant(now.timestamp_micros()),
        rows = literal::arrays(rows),
    )
}

/// What was stored before of these rows; none where the function did nothing, since a device is not
/// what it was thought to be.
pub(super) fn read(done: &Done) -> Result<Option<Before>, StoreError> {
    let mut before = Before::new();
    for row in &done.rows {
        if row.try_get(0)? {
            return Ok(None);
        }
        before.insert((row.try_get(1)?, row.try_get(2)?), value(row.try_get(3)?)?);
    }
    Ok(Some(before))
}
