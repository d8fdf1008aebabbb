//! The range of a question, and the windows that are laid over it.

use super::{Bucket, Interval, MAX_BUCKETS, Windows, Zone, windows};
use crate::Timestamp;
use chrono::TimeDelta;

/// How much of time there is by default before the end of a range.
const DEFAULT_RANGE: TimeDelta = TimeDelta::days(1);

/// A range of time, of which either end may be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenRange {
    /// First instant inside.
    pub start: Option<Timestamp>,
    /// First instant outside.
    pub end: Option<Timestamp>,
}

/// How wide buckets are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// As wide as this.
    Every(Interval),
    /// The shortest of the usual intervals with which no series has more buckets than this.
    AtMost(u32),
}

/// The windows that readings are sorted into, and the range that they are taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupWindows {
    /// First instant inside the range.
    pub start: Timestamp,
    /// First instant outside the range.
    pub end: Timestamp,
    /// The width of a window.
    pub interval: Interval,
    /// The zone in which days begin.
    pub zone: Zone,
    /// The windows that touch the range.
    pub windows: Windows,
    /// The time of asking, at which some windows are still open.
    now: Timestamp,
}

/// Why a question is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollupError {
    /// The range is empty or turned around.
    #[error("start must be before end")]
    EmptyRange,
    /// The answer would be too long.
    #[error(
        "{buckets} buckets are more than the maximum of {MAX_BUCKETS}: take a longer interval, such as {suggestion}, a shorter range, or fewer series"
    )]
    TooManyBuckets {
        /// How many there could be, over all series.
        buckets: i64,
        /// An interval that fits.
        suggestion: String,
    },
}

impl RollupWindows {
    /// Lays windows over a range, for so many series.
    ///
    /// A range without an end goes on to the end of the window that is open now, and one without a
    /// beginning has the day before; so the same question has the same answer until there are new readings
    /// or a window closes.
    pub fn new(
        range: OpenRange,
        resolution: Resolution,
        zone: Zone,
        series: usize,
        now: Timestamp,
    ) -> Result<Self, RollupError> {
        let end = range.end.unwrap_or(now);
        let start = range.start.unwrap_or(end - DEFAULT_RANGE);
        if start >= end && (range.end.is_some() || start >= now + DEFAULT_RANGE) {
            return Err(RollupError::EmptyRange);
        }
        let series = i64::try_from(series.max(1)).unwrap_or(i64::MAX);
        let fits = |interval, most: i64, end| {
            windows::count(interval, zone, (start, end)).saturating_mul(series) <= most
        };
        let shortest = |most, end| Interval::usual().find(|it| fits(*it, most, end));
        let interval = match resolution {
            Resolution::Every(interval) => Some(interval),
            Resolution::AtMost(points) => {
                let most = i64::from(points).saturating_mul(series).min(MAX_BUCKETS);
                shortest(most, end.max(start + TimeDelta::microseconds(1)))
            }
        };
        let too_many = |interval: Option<Interval>, end| RollupError::TooManyBuckets {
            buckets: interval.map_or(i64::MAX, |it| {
                windows::count(it, zone, (start, end)).saturating_mul(series)
            }),
            suggestion: shortest(MAX_BUCKETS, end).map_or_else(|| "10y".to_owned(), String::from),
        };
        let interval = interval.ok_or_else(|| too_many(None, end))?;
        let (start, end) = whole_windows(range, interval, zone, (start, end));
        if start >= end {
            return Err(RollupError::EmptyRange);
        }
        let windows = fits(interval, MAX_BUCKETS, end)
            .then(|| Windows::covering(interval, zone, (start, end)))
            .flatten()
            .ok_or_else(|| too_many(Some(interval), end))?;
        Ok(Self {
            start,
            end,
            interval,
            zone,
            windows,
            now,
        })
    }

    /// Whether readings of this bucket may be missing, since its window is still open or cut by the range.
    #[must_use]
    pub fn is_partial(&self, bucket: &Bucket) -> bool {
        bucket.start < self.start || bucket.end > self.end.min(self.now)
    }

    /// How many readings a bucket should have where one comes after each `spacing`, which is positive,
    /// up to now.
    #[must_use]
    pub fn expected(&self, bucket: &Bucket, spacing: TimeDelta) -> i64 {
        let begin = bucket.start.max(self.start);
        let end = bucket.end.min(self.end).min(self.now).max(begin);
        let micros = |span: TimeDelta| span.num_microseconds().unwrap_or(i64::MAX);
        let spacing = micros(spacing).max(1);
        micros(end - begin).saturating_add(spacing / 2) / spacing
    }
}

/// Moves the ends that were left open to the edges of windows.
fn whole_windows(
    range: OpenRange,
    interval: Interval,
    zone: Zone,
    (start, end): (Timestamp, Timestamp),
) -> (Timestamp, Timestamp) {
    let around = |at: Timestamp| {
        let instant = (at, at + TimeDelta::microseconds(1));
        Windows::covering(interval, zone, instant)?.span()
    };
    if range.end.is_some() {
        return (start, end);
    }
    let end = around(end).map_or(end, |(_, end)| end);
    let begin = around(start).map_or(start, |(begin, _)| begin);
    (range.start.unwrap_or(begin), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(
        start: Option<&str>,
        end: Option<&str>,
        resolution: Resolution,
        series: usize,
    ) -> Result<RollupWindows, RollupError> {
        let parse = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let range = OpenRange {
            start: parse(start),
            end: parse(end),
        };
        let now = "2026-11-23T12:34:56Z".parse().unwrap();
        RollupWindows::new(range, resolution, Zone::default(), series, now)
    }

    fn every(interval: &str) -> Resolution {
        Resolution::Every(Interval::parse(interval).unwrap())
    }

    #[test]
    fn too_many_buckets_are_refused_with_a_way_out() {
        let start = Some("2026-01-01T00:00:00Z");
        assert!(windows(start, Some("2026-01-01T03:03:20Z"), every("1s"), 1).is_ok());
        let error = windows(start, Some("2026-01-01T03:03:21Z"), every("1s"), 1).unwrap_err();
        let suggestion = "5s".to_owned();
        assert_eq!(
            error,
            RollupError::TooManyBuckets {
                buckets: 11_001,
                suggestion
            }
        );
        let error = windows(
            Some("0001-01-01T00:00:00Z"),
            Some("9999-01-01T00:00:00Z"),
            every("1s"),
            1,
        );
        assert!(matches!(error, Err(RollupError::TooManyBuckets { .. })));
        let error = windows(start, Some("2026-01-02T00:00:00Z"), every("1h"), 1_000);
        assert!(matches!(
            error,
            Err(RollupError::TooManyBuckets {
                buckets: 24_000,
                ..
            })
        ));
        assert_eq!(
            windows(start, start, every("1s"), 1),
            Err(RollupError::EmptyRange)
        );
    }

    #[test]
    fn open_ends_are_moved_to_the_edges_of_windows() {
        let range = |start, end, interval| {
            let windows = windows(start, end, every(interval), 1).unwrap();
            [windows.start, windows.end].map(|at| at.format("%dT%H:%M:%S").to_string())
        };
        assert_eq!(range(None, None, "1h"), ["22T12:00:00", "23T13:00:00"]);
        assert_eq!(range(None, None, "1d"), ["22T00:00:00", "24T00:00:00"]);
        assert_eq!(
            range(Some("2026-11-20T00:00:01Z"), None, "1h"),
            ["20T00:00:01", "23T13:00:00"]
        );
        assert_eq!(
            range(None, Some("2026-11-20T00:00:01Z"), "1h"),
            ["19T00:00:01", "20T00:00:01"]
        );
        let future = windows(Some("2027-01-01T00:00:00Z"), None, every("1h"), 1);
        assert_eq!(future, Err(RollupError::EmptyRange));
    }

    #[test]
    fn the_interval_is_the_shortest_that_fits() {
        for (points, expected) in [(1, "1d"), (24, "1h"), (100, "15m"), (11_000, "10s")] {
            let (start, end) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"));
            let windows = windows(start, end, Resolution::AtMost(points), 1).unwrap();
            assert_eq!(String::from(windows.interval), expected);
        }
        let auto = Resolution::AtMost(11_000);
        let many = windows(None, None, auto, 500).unwrap();
        assert!(many.windows.iter().count() * 500 <= 11_000);
    }

    #[test]
    fn buckets_that_are_open_or_cut_are_partial() {
        let windows = windows(Some("2026-11-23T10:30:00Z"), None, every("1h"), 1).unwrap();
        let partial: Vec<_> = windows
            .windows
            .iter()
            .map(|(start, end)| Bucket {
                start,
                end,
                count: 0,
                values: Vec::new(),
            })
            .map(|it| {
                (
                    windows.is_partial(&it),
                    windows.expected(&it, TimeDelta::seconds(10)),
                )
            })
            .collect();
        assert_eq!(partial, [(true, 180), (false, 360), (true, 210)]);
    }
}
