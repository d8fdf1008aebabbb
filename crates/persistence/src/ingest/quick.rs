//! The common case in one message: a few readings of known devices, which change nothing for any rule.

use super::{
    group::{Group, Row},
    literal,
    store::Before,
    writer::Work,
};
use crate::{StoreError, db::Done, reading::value};
use domain::Timestamp;
use sqlx::Row as _;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Devices with armed rules, for none of which anything is to change: the version of the rules of each.
pub(super) type Watched = BTreeMap<Uuid, i64>;

pub(super) fn watched(batch: &[&Work]) -> Watched {
    let watched = |work: &&Work| {
        let resolved = work.resolved.as_ref()?;
        Some((resolved.device.device, resolved.quiet?))
    };
    batch.iter().filter_map(watched).collect()
}

/// Calls the function that locks, stores and touches, whose plans each server connection keeps.
pub(super) fn statement(group: &Group, watched: &Watched, rows: &[&Row], now: Timestamp) -> String {
    let mut first: BTreeMap<i32, i64> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_watched(group, watched, row)) {
        let micros = row.recorded_at.timestamp_micros();
        let first = first.entry(row.series_id).or_insert(micros);
        *first = micros.min(*first);
    }
    format!(
        "select * from store_readings({devices}, {now}, {rows}, {watched}, {versions}, {followed}, {first})",
        devices = literal::uuids(&group.devices()),
        now = literal::instant(now.timestamp_micros()),
        rows = literal::arrays(rows),
        watched = literal::array(watched.keys(), "uuid"),
        versions = literal::array(watched.values(), "bigint"),
        followed = literal::array(first.keys(), "integer"),
        first = literal::array(first.values(), "bigint"),
    )
}

pub(super) fn is_watched(group: &Group, watched: &Watched, row: &Row) -> bool {
    let series = group.series.get(&row.series_id);
    series.is_some_and(|it| watched.contains_key(&it.device))
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
