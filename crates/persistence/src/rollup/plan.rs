//! What a rollup reads from kept hours, and what from samples.
//!
//! A kept hour stands for its samples where it is trusted, lies in the range and in a single window as a
//! whole. Everything else is read from samples.

use super::Series;
use chrono::TimeDelta;
use domain::{Timestamp, rollup::RollupQuery};
use std::collections::HashMap;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Most pieces that are read from samples where others are read from kept hours: beyond that, a single piece
/// of each series costs less than telling them apart.
const MOST_PIECES: usize = 50_000;

/// No sample is of an earlier hour, nor of a later one, counted from 1970. The database knows fewer years than
/// a question may name.
const FIRST_HOUR: i64 = 262_968;
const LAST_HOUR: i64 = 70_000_000;

/// Samples of one series in `[from, to)`, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) series: i32,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// What is read from where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Kept hours, counted from 1970: from the first one to before the last one.
    pub(super) hours: Option<(i64, i64)>,
    /// Hours among them which no series' answer may use, each from the first one to before the last one.
    pub(super) cut: Vec<(i64, i64)>,
    /// Whether some series has hours that are to be summed up again, and not to be used either.
    pub(super) any_stale: bool,
    pub(super) samples: Vec<Piece>,
}

/// The hours that lie in the range as a whole, from the first one to before the last one.
pub(super) fn whole_hours(query: &RollupQuery) -> (i64, i64) {
    let (start, end) = range(query);
    ((start + HOUR - 1).div_euclid(HOUR), end.div_euclid(HOUR))
}

/// Of each series, the hours that are not to be trusted, in order, each run from its first one to before the
/// one after its last.
pub(super) type Stale = HashMap<i32, Vec<(i64, i64)>>;

/// Decides what to read, given the hour before which hours are trusted, and of which series they are not:
/// nothing where these are too many to be told.
pub(super) fn plan(
    query: &RollupQuery,
    series: &[Series],
    closed_hour: i64,
    stale: Option<&Stale>,
) -> Plan {
    let hours = stale.and_then(|stale| from_hours(query, series, closed_hour, stale));
    hours
        .filter(|plan| plan.samples.len() <= MOST_PIECES)
        .unwrap_or_else(|| Plan {
            samples: series.iter().map(|it| piece(it, range(query))).collect(),
            ..Plan::default()
        })
}

/// The part of the range in which there may be samples, in microseconds since 1970.
pub(super) fn range(query: &RollupQuery) -> (i64, i64) {
    let inside = |at: Timestamp| {
        at.timestamp_micros()
            .clamp(FIRST_HOUR * HOUR, LAST_HOUR * HOUR)
    };
    (inside(query.windows.start), inside(query.windows.end))
}

/// Reads kept hours where that can be done, and there are any.
fn from_hours(
    query: &RollupQuery,
    series: &[Series],
    closed_hour: i64,
    stale: &Stale,
) -> Option<Plan> {
    let range = range(query);
    let (first, last) = whole_hours(query);
    let last = last.min(closed_hour);
    let fixed = query.windows.windows.fixed();
    let is_fine = fixed.is_some_and(|width| width < TimeDelta::hours(1));
    if first >= last || is_fine || query.aggregates.percents().next().is_some() {
        return None;
    }
    let cut = cut_hours(query.windows.windows.edges(), (first, last));
    if series.len().saturating_mul(cut.len() + 2) > MOST_PIECES {
        return None;
    }
    let mut samples = Vec::new();
    for it in series {
        let mut add = |from, to| {
            if from < to {
                samples.push(piece(it, (from, to)));
            }
        };
        add(range.0, first * HOUR);
        for (from, to) in &cut {
            add(from * HOUR, to * HOUR);
        }
        let stale = stale.get(&it.id).map_or(&[][..], Vec::as_slice);
        for (from, to) in stale {
            let hours = *(from.max(&first))..*(to.min(&last));
            for (from, to) in runs(hours.filter(|hour| !is_cut(&cut, *hour))) {
                add(from * HOUR, to * HOUR);
            }
        }
        add(last * HOUR, range.1);
    }
    Some(Plan {
        hours: Some((first, last)),
        cut,
        any_stale: !stale.is_empty(),
        samples,
    })
}

fn piece(series: &Series, (from, to): (i64, i64)) -> Piece {
    Piece {
        series: series.id,
        from,
        to,
    }
}

/// The hours in which a window ends and another one begins.
fn cut_hours(edges: &[Timestamp], (first, last): (i64, i64)) -> Vec<(i64, i64)> {
    let micros = edges.iter().map(Timestamp::timestamp_micros);
    let inside = micros.filter(|at| at.rem_euclid(HOUR) != 0);
    let hours = inside.map(|at| at.div_euclid(HOUR));
    runs(hours.filter(|hour| (first..last).contains(hour)))
}

fn is_cut(cut: &[(i64, i64)], hour: i64) -> bool {
    let place = cut.partition_point(|(_, to)| *to <= hour);
    cut.get(place).is_some_and(|(from, _)| *from <= hour)
}

/// Joins neighbours. The hours are in order.
fn runs(hours: impl Iterator<Item = i64>) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for hour in hours {
        match runs.last_mut() {
            Some((_, to)) if *to >= hour => *to = hour + 1,
            Some(_) | None => runs.push((hour, hour + 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        reading::Metric,
        rollup::{
            Aggregates, BucketLimit, Fill, Interval, OpenRange, Resolution, RollupWindows, Zone,
        },
    };
    use proptest::prelude::*;

    fn query(interval: &str, zone: &str, start: i64, end: i64) -> RollupQuery {
        let at = |micros| Timestamp::from_timestamp_micros(micros).unwrap();
        let range = OpenRange {
            start: Some(at(start)),
            end: Some(at(end)),
        };
        let resolution = Resolution::Every(Interval::parse(interval).unwrap());
        let zone = Zone::parse(zone).unwrap();
        let limit = BucketLimit::default();
        RollupQuery {
            metrics: vec![Metric::parse("t").unwrap()],
            windows: RollupWindows::new(range, resolution, zone, 1, limit, at(end)).unwrap(),
            aggregates: Aggregates::default(),
            fill: Fill::None,
            completeness: false,
            combine: false,
        }
    }

    const BEGIN: i64 = 490_000;

    fn series(count: i32) -> Vec<Series> {
        let of = |id| Series {
            id,
            device: uuid::Uuid::nil(),
            metric: Metric::parse("t").unwrap(),
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn what_would_be_cut_into_too_many_pieces_is_read_as_a_whole() {
        let (start, end) = (BEGIN * HOUR, (BEGIN + 240) * HOUR);
        let query = query("1d", "Asia/Kolkata", start, end);
        let few = plan(&query, &series(10), BEGIN + 300, Some(&Stale::new()));
        assert!(few.hours.is_some() && few.samples.len() > 10);
        let many = plan(&query, &series(6_000), BEGIN + 300, Some(&Stale::new()));
        assert_eq!((many.hours, many.samples.len()), (None, 6_000));
        let unknown = plan(&query, &series(10), BEGIN + 300, None);
        assert_eq!((unknown.hours, unknown.samples.len()), (None, 10));
    }

    proptest! {
        /// Every microsecond of the range is read once, and each kept hour lies in one window.
        #[test]
        fn everything_is_read_once(
            interval in prop::sample::select(vec!["1h", "1d", "6h", "1w", "90m", "7m"]),
            zone in prop::sample::select(vec!["UTC", "Asia/Kolkata", "Europe/Berlin", "Asia/Kathmandu"]),
            start in 0..100 * HOUR, length in 1..200 * HOUR, closed in 0_i64..300,
            mut stale in prop::collection::vec(0_i64..300, 0..20),
        ) {
            let start = BEGIN * HOUR + start;
            let end = start + length;
            let query = query(interval, zone, start, end);
            stale.sort_unstable();
            stale.dedup();
            let stale: Vec<i64> = stale.into_iter().map(|hour| BEGIN + hour).collect();
            let is_stale = |hour: &i64| stale.contains(hour);
            let series = Series { id: 7, device: uuid::Uuid::nil(), metric: query.metrics[0].clone() };
            let marks = Stale::from([(7, runs(stale.iter().copied()))]);
            let plan = plan(&query, &[series], BEGIN + closed, Some(&marks));

            let mut read: Vec<(i64, i64)> = plan.samples.iter().map(|it| (it.from, it.to)).collect();
            if let Some((first, last)) = plan.hours {
                let kept = (first..last).filter(|hour| !is_cut(&plan.cut, *hour) && !is_stale(hour));
                for hour in kept {
                    prop_assert!(hour < BEGIN + closed);
                    let inside = |edge: &Timestamp| {
                        let at = edge.timestamp_micros();
                        hour * HOUR < at && at < (hour + 1) * HOUR
                    };
                    prop_assert!(!query.windows.windows.edges().iter().any(inside));
                    read.push((hour * HOUR, (hour + 1) * HOUR));
                }
            }
            read.sort_unstable();
            prop_assert_eq!(read[0].0, start);
            prop_assert_eq!(read[read.len() - 1].1, end);
            for pair in read.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0);
            }
        }
    }
}
