//! Step 4: hours that were summed up before, or are being so, are marked, since they have samples more now.

use super::{group::Row, literal};
use crate::{StoreError, db::Done};
use sqlx::Row as _;
use std::collections::BTreeSet;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Asks for the hour before which hours are to be marked, and holds it until this transaction ends.
pub(super) fn marking_hour() -> String {
    "select lock_marking_hour()::bigint".to_owned()
}

/// Reads what [`marking_hour`] answered.
pub(super) fn read(done: &Done) -> Result<i64, StoreError> {
    let row = done.rows.first();
    let row = row.ok_or_else(|| StoreError::corrupt("rollup_horizon", "has no row"))?;
    Ok(row.try_get(0)?)
}

/// Marks the hours of those rows that are to be; nothing where there are none.
pub(super) fn mark<'a>(rows: impl Iterator<Item = &'a Row>, marking_hour: i64) -> Option<String> {
    let hour = |row: &Row| {
        (
            row.series_id,
            row.recorded_at.timestamp_micros().div_euclid(HOUR),
        )
    };
    let late = rows.map(hour).filter(|(_, hour)| *hour < marking_hour);
    let hours: Vec<(i32, i64)> = late.collect::<BTreeSet<_>>().into_iter().collect();
    (!hours.is_empty()).then(|| {
        format!(
            "insert into stale_hours (series_id, hour) select * from {}",
            literal::hours(&hours)
        )
    })
}
