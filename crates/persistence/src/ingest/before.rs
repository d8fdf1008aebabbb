//! What was stored before a group, as far as rules want to know it.

use super::literal;
use crate::{StoreError, Tx, db::Done, reading};
use domain::{
    Timestamp,
    alert::{Measured, Window},
};
use sqlx::Row as _;
use std::collections::{HashMap, HashSet};

/// The newest reading of each series that was there before this transaction, not looked for before a time of its own.
pub(super) async fn newest(
    tx: &Tx,
    since: &[(i32, Timestamp)],
) -> Result<HashMap<i32, Timestamp>, StoreError> {
    if since.is_empty() {
        return Ok(HashMap::new());
    }
    let [done] = tx.message([newest_statement(since)]).await?;
    read_newest(&done)
}

/// Asks for it; there is at least one.
pub(super) fn newest_statement(since: &[(i32, Timestamp)]) -> String {
    let least = since.iter().map(|it| it.1).min().unwrap_or_default();
    // The least bound once more as a constant, so that only the partitions after it are looked at.
    format!(
        "select wanted.series_id, newest.recorded_at \
         from unnest({series}, {since}) as wanted (series_id, since) \
         cross join lateral ( \
             select recorded_at from samples where samples.series_id = wanted.series_id \
                 and recorded_at >= {bound} and recorded_at >= {least} \
                 and samples.xmin <> pg_current_xact_id()::xid \
             order by recorded_at desc limit 1) as newest",
        series = literal::array(since.iter().map(|it| it.0), "integer"),
        since = literal::array(since.iter().map(|it| it.1.timestamp_micros()), "bigint"),
        bound = literal::instant("wanted.since"),
        least = literal::instant(least.timestamp_micros()),
    )
}

/// Reads what [`newest_statement`] answered.
pub(super) fn read_newest(done: &Done) -> Result<HashMap<i32, Timestamp>, StoreError> {
    done.rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// Asks which of these series have readings that are newer than a time of their own. A function, so that each server
/// connection keeps the plan.
pub(super) fn newer_statement(than: &HashMap<i32, Timestamp>) -> String {
    if than.is_empty() {
        return "select where false".to_owned();
    }
    format!(
        "select * from series_with_newer({series}, {times})",
        series = literal::array(than.keys(), "integer"),
        times = literal::array(than.values().map(Timestamp::timestamp_micros), "bigint"),
    )
}

/// Reads what [`newer_statement`] answered.
pub(super) fn read_newer(done: &Done) -> Result<HashSet<i32>, StoreError> {
    done.rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// All readings of the windows that rules need, by series.
pub(super) async fn windows(
    tx: &Tx,
    windows: impl Iterator<Item = (i32, Window)>,
) -> Result<HashMap<i32, Vec<Measured>>, StoreError> {
    let mut spans: HashMap<i32, Window> = HashMap::new();
    for (series, (from, to)) in windows {
        let span = spans.entry(series).or_insert((from, to));
        *span = (span.0.min(from), span.1.max(to));
    }
    let mut found: HashMap<i32, Vec<Measured>> = HashMap::new();
    if spans.is_empty() {
        return Ok(found);
    }
    let spans: Vec<_> = spans
        .iter()
        .map(|(id, (from, to))| (*id, from.timestamp_micros(), to.timestamp_micros()))
        .collect();
    // The bounds once more as constants, so that only the partitions between them are looked at.
    let first = spans.iter().map(|it| it.1).min().unwrap_or_default();
    let last = spans.iter().map(|it| it.2).max().unwrap_or_default();
    let statement = format!(
        "select span.series_id, found.recorded_at, found.value from {spans} as span (series_id, first, last)
         cross join lateral (
             select recorded_at, value::text as value from samples
             where samples.series_id = span.series_id and recorded_at >= {from} and recorded_at <= {to}
                 and recorded_at >= {first} and recorded_at <= {last} offset 0) as found",
        spans = literal::spans(&spans),
        from = literal::instant("span.first"),
        to = literal::instant("span.last"),
        first = literal::instant(first),
        last = literal::instant(last),
    );
    let [done] = tx.message([statement]).await?;
    for row in &done.rows {
        found.entry(row.try_get(0)?).or_default().push(Measured {
            at: row.try_get(1)?,
            value: reading::value(row.try_get(2)?)?,
        });
    }
    Ok(found)
}
