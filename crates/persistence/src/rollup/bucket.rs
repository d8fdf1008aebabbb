//! In which window an instant lies, as SQL.

use crate::ingest::literal;
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use domain::{Timestamp, rollup::Windows};

/// What the edges of windows of different lengths are looked up in, at the begin of a statement.
pub(super) fn with_edges(windows: &Windows) -> String {
    if windows.fixed().is_some() {
        return String::new();
    }
    let edges = || windows.edges().iter().map(|edge| known(*edge));
    let times = edges().map(|edge| format!("\"{}\"", edge.to_rfc3339()));
    let micros = edges().map(|edge| edge.timestamp_micros());
    format!(
        "with windows as materialized (select {} as times, {} as micros)",
        literal::array(times, "timestamptz"),
        literal::array(micros, "bigint"),
    )
}

/// The begin of the window that an instant lies in.
pub(super) fn bucket(windows: &Windows, at: &str) -> String {
    if let (Some(width), Some(anchor)) = (windows.fixed(), anchor(windows)) {
        return format!(
            "date_bin(interval '{} seconds', {at}, '{}')",
            width.num_seconds(),
            anchor.to_rfc3339()
        );
    }
    edge_before("times", at)
}

fn edge_before(edges: &str, at: &str) -> String {
    let edges = format!("(select {edges} from windows)");
    format!("({edges})[width_bucket({at}, {edges})]")
}

/// The hour that windows of whole hours are counted from, and how many hours each has.
pub(super) fn counted_in_hours(windows: &Windows) -> Option<(i64, i64)> {
    let hour = TimeDelta::hours(1).num_microseconds()?;
    let width = windows.fixed()?.num_microseconds()?;
    let first = windows.edges().first()?.timestamp_micros();
    (width % hour == 0 && first % hour == 0).then_some((first / hour, width / hour))
}

/// The begin of the window of a kept hour, in microseconds since 1970: by whole numbers where that will do,
/// which is several times as fast.
pub(super) fn bucket_of_hour(windows: &Windows) -> String {
    match counted_in_hours(windows) {
        Some((_, 1)) => "hour::bigint * 3600000000".to_owned(),
        Some((first, width)) => {
            format!("({first} + (hour - {first}) / {width} * {width})::bigint * 3600000000")
        }
        None if windows.fixed().is_none() => edge_before("micros", "hour::bigint * 3600000000"),
        None => micros(&bucket(windows, "to_timestamp(hour * 3600.0)")),
    }
}

pub(super) fn micros(at: &str) -> String {
    format!("(date_part('epoch', {at}) * 1000000)::bigint")
}

/// An edge that the database knows to write, instead of one that is centuries away from all samples: no window
/// is that long.
fn known(edge: Timestamp) -> Timestamp {
    let year = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
    let [first, last] = [1900, 9000].map(|it| year(it).and_time(NaiveTime::MIN).and_utc());
    edge.clamp(first, last)
}

/// The edge that windows of fixed length are counted from in SQL, which may be any of them.
fn anchor(windows: &Windows) -> Option<Timestamp> {
    let mut edges = windows.edges().iter().copied();
    let usable = edges.find(|edge| known(*edge) == *edge);
    usable.or_else(|| windows.edges().first().map(|edge| known(*edge)))
}
