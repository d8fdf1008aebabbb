//! The width of a bucket.

use crate::{Timestamp, duration::split_unit};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// The unit of an interval. Each is of fixed length in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`, from midnight to midnight in UTC.
    Day,
}

impl Unit {
    fn symbol(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// The width of a bucket: a whole number of units, such as `15m` or `1d`, at most 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval {
    count: u32,
    unit: Unit,
}

/// The text is not an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number followed by s, m, h or d, such as 15m or 1d, and at most 366d")]
pub struct IntervalError;

impl Interval {
    /// Reads `<number><s|m|h|d>`.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        let (count, unit) = split_unit(text).ok_or(IntervalError)?;
        let unit = [Unit::Second, Unit::Minute, Unit::Hour, Unit::Day]
            .into_iter()
            .find(|candidate| candidate.symbol() == unit)
            .ok_or(IntervalError)?;
        let interval = Self { count, unit };
        if interval.seconds() <= 366 * 86_400 {
            Ok(interval)
        } else {
            Err(IntervalError)
        }
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::from(self.count) * self.unit.seconds()
    }

    /// Its length.
    #[must_use]
    pub fn width(self) -> TimeDelta {
        TimeDelta::seconds(self.seconds())
    }

    /// How many buckets of this width touch `[start, end)`; buckets are counted from 2000-01-01.
    pub(super) fn buckets_between(self, start: Timestamp, end: Timestamp) -> i64 {
        let width = self.seconds().saturating_mul(1_000_000);
        let origin = crate::reading::earliest().timestamp_micros();
        let index = |micros: i64| micros.saturating_sub(origin).div_euclid(width);
        index(end.timestamp_micros() - 1) - index(start.timestamp_micros()) + 1
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        format!("{}{}", interval.count, interval.unit.symbol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_and_written_as_they_came() {
        for text in ["1s", "15m", "90m", "24h", "1d", "366d"] {
            assert_eq!(String::from(Interval::parse(text).unwrap()), text);
        }
        for text in [
            "",
            "0m",
            "1w",
            "m",
            "1.5h",
            "367d",
            "-1h",
            "999999999999s",
            "4294967295d",
        ] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }
}
