//! What a bucket tells of its readings.

use serde::Deserialize;
use std::fmt;

/// What a bucket tells of its readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// The mean, to at least 16 significant digits.
    Avg,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The exact sum.
    Sum,
    /// The number of readings, which every bucket tells anyway.
    Count,
    /// The value that was measured first.
    First,
    /// The value that was measured last.
    Last,
    /// The standard deviation of a sample (the sum of squares is divided by one less than their
    /// number), to at least 16 significant digits; nothing where there are not two values.
    Stddev,
    /// The value in the middle, or halfway between the two that are: the 50th percentile.
    Median,
    /// The value below which so many per cent lie, from 1 to 99: exactly between the two nearest ranks
    /// (type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996).
    Percentile(u8),
}

impl Aggregate {
    const NAMED: [(Self, &'static str); 9] = [
        (Self::Avg, "avg"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::Sum, "sum"),
        (Self::Count, "count"),
        (Self::First, "first"),
        (Self::Last, "last"),
        (Self::Stddev, "stddev"),
        (Self::Median, "median"),
    ];

    fn parse(word: &str) -> Option<Self> {
        let named = Self::NAMED.into_iter().find(|(_, name)| *name == word);
        named.map(|(aggregate, _)| aggregate).or_else(|| {
            let digits = word.strip_prefix('p')?;
            let percent: u8 = digits.parse().ok()?;
            let is_plain = !digits.starts_with(['0', '+']);
            (is_plain && percent < 100).then_some(Self::Percentile(percent))
        })
    }

    /// The percentage, where it takes all values to tell.
    #[must_use]
    pub fn percent(self) -> Option<u8> {
        match self {
            Self::Median => Some(50),
            Self::Percentile(percent) => Some(percent),
            Self::Avg
            | Self::Min
            | Self::Max
            | Self::Sum
            | Self::Count
            | Self::First
            | Self::Last
            | Self::Stddev => None,
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMED.into_iter().find(|(named, _)| named == self);
        match (self, named) {
            (_, Some((_, name))) => f.write_str(name),
            (Self::Percentile(percent), None) => write!(f, "p{percent}"),
            (_, None) => Ok(()),
        }
    }
}

/// Different aggregates, written as a list with commas: `avg,min,p95`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Aggregates(Vec<Aggregate>);

/// Most aggregates of one question.
const MAX_AGGREGATES: usize = 20;

/// The list is not one of aggregates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AggregatesError {
    /// An entry is none.
    #[error(
        "must be a list of avg, min, max, sum, count, first, last, stddev, median and p1 to p99 with commas between; '{0}' is none of them"
    )]
    Unknown(String),
    /// There are more of them than an answer may have.
    #[error("must be at most {MAX_AGGREGATES} aggregates")]
    TooMany,
}

impl Aggregates {
    /// Each of them once, in the order of the question, without the count.
    pub fn iter(&self) -> impl Iterator<Item = Aggregate> {
        self.0.iter().copied()
    }

    /// The percentages that are asked for.
    pub fn percents(&self) -> impl Iterator<Item = u8> {
        self.iter().filter_map(Aggregate::percent)
    }
}

impl Default for Aggregates {
    fn default() -> Self {
        Self(vec![
            Aggregate::Avg,
            Aggregate::Min,
            Aggregate::Max,
            Aggregate::Sum,
        ])
    }
}

impl TryFrom<String> for Aggregates {
    type Error = AggregatesError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut aggregates = Vec::new();
        for word in text.split(',') {
            let aggregate = Aggregate::parse(word)
                .ok_or_else(|| AggregatesError::Unknown(word.chars().take(20).collect()))?;
            if aggregate != Aggregate::Count && !aggregates.contains(&aggregate) {
                aggregates.push(aggregate);
            }
            if aggregates.len() > MAX_AGGREGATES {
                return Err(AggregatesError::TooMany);
            }
        }
        Ok(Self(aggregates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_aggregates() {
        let percentiles = |most: usize| {
            let names: Vec<String> = (1..=most).map(|percent| format!("p{percent}")).collect();
            Aggregates::try_from(names.join(","))
        };
        assert!(percentiles(MAX_AGGREGATES).is_ok());
        let refused = percentiles(MAX_AGGREGATES + 1);
        assert_eq!(refused, Err(AggregatesError::TooMany));
    }

    #[test]
    fn aggregates_are_a_list() {
        let list = Aggregates::try_from("count,max,p95,avg,max,median,p1".to_owned()).unwrap();
        let names: Vec<String> = list.iter().map(|it| it.to_string()).collect();
        assert_eq!(names, ["max", "p95", "avg", "median", "p1"]);
        assert_eq!(list.percents().collect::<Vec<_>>(), [95, 50, 1]);
        for text in [
            "", "avg,", "p0", "p100", "p05", "p+5", "p", "AVG", "avg, min", "p1.5", "p999999",
        ] {
            assert!(Aggregates::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
