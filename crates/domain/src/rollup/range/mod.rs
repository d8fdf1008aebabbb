//! The range of a question, and the windows that are laid over it.

use super::{Bucket, BucketLimit, Interval, MAX_BUCKETS, Windows, Zone, windows};
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
    #[error("{}", too_many(*buckets, *limit, suggestion.as_deref()))]
    TooManyBuckets {
        /// How many there could be, over all series.
        buckets: i64,
        /// How many there may be.
        limit: i64,
        /// An interval that fits, if any does.
        suggestion: Option<String>,
    },
}

fn too_many(buckets: i64, limit: i64, suggestion: Option<&str>) -> String {
    let limit = if limit == MAX_BUCKETS {
        format!("the maximum of {MAX_BUCKETS}")
    } else {
        format!("the limit of {limit} (which may be up to {MAX_BUCKETS})")
    };
    let longer = suggestion.map_or_else(String::new, |interval| {
        format!("a longer interval, such as {interval}, ")
    });
    format!(
        "{buckets} buckets are more than {limit}: take {longer}a shorter range, or fewer series"
    )
}

/// Counts buckets over all series, from the start of a range.
struct Counter {
    start: Timestamp,
    zone: Zone,
    series: i64,
}

impl Counter {
    fn buckets(&self, interval: Interval, end: Timestamp) -> i64 {
        windows::count(interval, self.zone, (self.start, end)).saturating_mul(self.series)
    }

    /// The shortest of the usual intervals with at most so many buckets.
    fn shortest(&self, most: i64, end: Timestamp) -> Option<Interval> {
        Interval::usual().find(|it| self.buckets(*it, end) <= most)
    }

    fn too_many(&self, interval: Interval, limit: i64, end: Timestamp) -> RollupError {
        RollupError::TooManyBuckets {
            buckets: self.buckets(interval, end),
            limit,
            suggestion: self.shortest(limit, end).map(String::from),
        }
    }
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
        limit: BucketLimit,
        now: Timestamp,
    ) -> Result<Self, RollupError> {
        let end = range.end.unwrap_or(now);
        let start = range.start.unwrap_or(end - DEFAULT_RANGE);
        if start >= end && (range.end.is_some() || start >= now + DEFAULT_RANGE) {
            return Err(RollupError::EmptyRange);
        }
        let counter = Counter {
            start,
            zone,
            series: i64::try_from(series.max(1)).unwrap_or(i64::MAX),
        };
        let limit = limit.get();
        let interval = match resolution {
            Resolution::Every(interval) => interval,
            Resolution::AtMost(points) => {
                let most = i64::from(points).saturating_mul(counter.series).min(limit);
                let end = end.max(start + TimeDelta::microseconds(1));
                let shortest = counter.shortest(most, end);
                shortest.ok_or_else(|| counter.too_many(Interval::longest(), most, end))?
            }
        };
        let (start, end) = whole_windows(range, interval, zone, (start, end));
        if start >= end {
            return Err(RollupError::EmptyRange);
        }
        let windows = (counter.buckets(interval, end) <= limit)
            .then(|| Windows::covering(interval, zone, (start, end)))
            .flatten()
            .ok_or_else(|| counter.too_many(interval, limit, end))?;
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
mod tests;
