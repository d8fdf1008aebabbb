//! Arrays as SQL literals. Nothing in them needs escaping: numbers, hex digits and hyphens.

use super::group::Row;
use std::fmt::{Display, Write};
use uuid::Uuid;

/// Writes `'{a,b,c}'` and a cast.
pub(crate) fn array<T: Display>(items: impl Iterator<Item = T>, kind: &str) -> String {
    let mut text = String::with_capacity(items.size_hint().0 * 17 + 16);
    text.push_str("'{");
    for (place, item) in items.enumerate() {
        if place > 0 {
            text.push(',');
        }
        // Writing into a String cannot fail.
        let _ = write!(text, "{item}");
    }
    text.push_str("}'::");
    text.push_str(kind);
    text.push_str("[]");
    text
}

/// `uuid[]`.
pub(crate) fn uuids(ids: &[Uuid]) -> String {
    array(ids.iter(), "uuid")
}

/// `text[]` of metrics, whose letters are such that nothing needs escaping; quoted, since one may be called null.
pub(crate) fn metrics<T: Display>(names: impl Iterator<Item = T>) -> String {
    array(names.map(|name| format!("\"{name}\"")), "text")
}

/// `unnest(…)` of series and microseconds since 1970, for [`instant`] to read.
pub(super) fn keys(rows: &[&Row]) -> String {
    format!("unnest({}, {})", series(rows), times(rows))
}

/// `unnest(…)` of series, microseconds since 1970 and values.
pub(super) fn rows(rows: &[&Row]) -> String {
    format!("unnest({})", arrays(rows))
}

/// Series, microseconds since 1970 and values.
pub(super) fn arrays(rows: &[&Row]) -> String {
    let values = array(rows.iter().map(|row| row.value), "numeric");
    format!("{}, {}, {values}", series(rows), times(rows))
}

fn series(rows: &[&Row]) -> String {
    array(rows.iter().map(|row| row.series_id), "integer")
}

fn times(rows: &[&Row]) -> String {
    let micros = rows.iter().map(|row| row.recorded_at.timestamp_micros());
    array(micros, "bigint")
}

/// `unnest(…)` of series, and the first and last microsecond of a span of time for each.
pub(super) fn spans(spans: &[(i32, i64, i64)]) -> String {
    let series = array(spans.iter().map(|span| span.0), "integer");
    let first = array(spans.iter().map(|span| span.1), "bigint");
    let last = array(spans.iter().map(|span| span.2), "bigint");
    format!("unnest({series}, {first}, {last})")
}

/// An instant from microseconds since 1970. The factor is a double, which is exact until the year 2255.
pub(crate) fn instant(micros: impl Display) -> String {
    format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'")
}

/// `unnest(…)` of series and hours since 1970.
pub(super) fn hours(hours: &[(i32, i64)]) -> String {
    let series = array(hours.iter().map(|hour| hour.0), "integer");
    let numbers = array(hours.iter().map(|hour| hour.1), "integer");
    format!("unnest({series}, {numbers})")
}
