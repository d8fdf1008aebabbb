//! The width of a bucket.

use crate::duration::split_unit;
use serde::{Deserialize, Serialize};

/// The unit of an interval: below a day of fixed length, from a day up a stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`, from midnight to midnight.
    Day,
    /// `w`, from Monday to Monday.
    Week,
    /// `mo`, from the first day of a month.
    Month,
    /// `q`, from the first day of January, April, July or October.
    Quarter,
    /// `y`, from the first of January.
    Year,
}

/// What a width comes to: so many of something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Always as many seconds.
    Seconds(i64),
    /// Days of the calendar, which have 23 to 25 hours where the clocks change.
    Days(i64),
    /// Weeks from Monday.
    Weeks(i64),
    /// Months of the calendar.
    Months(i64),
}

impl Unit {
    const ALL: [Self; 8] = [
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
        Self::Year,
    ];

    fn symbol(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Month => "mo",
            Self::Quarter => "q",
            Self::Year => "y",
        }
    }

    /// Seconds, of the longest month and year where they differ.
    fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 31 * 86_400,
            Self::Quarter => 92 * 86_400,
            Self::Year => 366 * 86_400,
        }
    }
}

/// The width of a bucket: a whole number of units, such as `15m`, `1d` or `3mo`, at most 10 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval {
    count: u32,
    unit: Unit,
}

/// The text is not an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a whole number followed by s, m, h, d, w, mo, q or y, such as 15m or 1d, and at most 10y"
)]
pub struct IntervalError;

/// Ten of the longest years.
const MAX_SECONDS: i64 = 3_660 * 86_400;

/// The usual intervals, shortest first.
const USUAL: [(u32, Unit); 20] = [
    (1, Unit::Second),
    (5, Unit::Second),
    (10, Unit::Second),
    (30, Unit::Second),
    (1, Unit::Minute),
    (5, Unit::Minute),
    (10, Unit::Minute),
    (15, Unit::Minute),
    (30, Unit::Minute),
    (1, Unit::Hour),
    (2, Unit::Hour),
    (3, Unit::Hour),
    (6, Unit::Hour),
    (12, Unit::Hour),
    (1, Unit::Day),
    (1, Unit::Week),
    (1, Unit::Month),
    (1, Unit::Quarter),
    (1, Unit::Year),
    (10, Unit::Year),
];

impl Interval {
    /// Reads `<number><s|m|h|d|w|mo|q|y>`.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        let (count, unit) = split_unit(text).ok_or(IntervalError)?;
        let unit = Unit::ALL
            .into_iter()
            .find(|candidate| candidate.symbol() == unit)
            .ok_or(IntervalError)?;
        if i64::from(count) * unit.seconds() <= MAX_SECONDS {
            Ok(Self { count, unit })
        } else {
            Err(IntervalError)
        }
    }

    /// The usual intervals, shortest first.
    pub(super) fn usual() -> impl Iterator<Item = Self> {
        USUAL.into_iter().map(|(count, unit)| Self { count, unit })
    }

    /// The longest of them.
    pub(super) fn longest() -> Self {
        let (count, unit) = (10, Unit::Year);
        Self { count, unit }
    }

    pub(super) fn width(self) -> Width {
        let count = i64::from(self.count);
        match self.unit {
            Unit::Second | Unit::Minute | Unit::Hour => Width::Seconds(count * self.unit.seconds()),
            Unit::Day => Width::Days(count),
            Unit::Week => Width::Weeks(count),
            Unit::Month => Width::Months(count),
            Unit::Quarter => Width::Months(count * 3),
            Unit::Year => Width::Months(count * 12),
        }
    }

    /// Its length in seconds, where that is always the same.
    #[must_use]
    pub fn fixed_seconds(self) -> Option<i64> {
        match self.width() {
            Width::Seconds(seconds) => Some(seconds),
            Width::Days(_) | Width::Weeks(_) | Width::Months(_) => None,
        }
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
        for text in [
            "1s", "15m", "90m", "24h", "1d", "3660d", "2w", "1mo", "4q", "10y",
        ] {
            assert_eq!(String::from(Interval::parse(text).unwrap()), text);
        }
        for text in [
            "",
            "0m",
            "1M",
            "m",
            "1.5h",
            "3661d",
            "11y",
            "-1h",
            "1month",
            "999999999999s",
            "4294967295d",
        ] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }
}
