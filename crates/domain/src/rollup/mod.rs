//! Rollups: readings of a metric summed up by windows of time.

mod interval;

pub use interval::{Interval, IntervalError, Unit};

use crate::{Timestamp, decimal::WideDecimal, reading::Metric};
use serde::{Deserialize, Serialize};

/// Most buckets that one answer may have.
pub const MAX_BUCKETS: i64 = 11_000;

/// What a bucket tells of its readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
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
}

impl Aggregate {
    /// All of them, in the order of their names in the documentation.
    pub const ALL: [Self; 5] = [Self::Avg, Self::Min, Self::Max, Self::Sum, Self::Count];

    /// The word that the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
        }
    }
}

/// Different aggregates, written as a list with commas: `avg,min,max`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Aggregates(Vec<Aggregate>);

/// An entry of the list is not an aggregate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a list of avg, min, max, sum and count with commas between; '{0}' is none of them"
)]
pub struct AggregatesError(String);

impl Aggregates {
    /// Whether this aggregate was asked for.
    #[must_use]
    pub fn contains(&self, aggregate: Aggregate) -> bool {
        self.0.contains(&aggregate)
    }
}

impl Default for Aggregates {
    fn default() -> Self {
        Self(Aggregate::ALL.to_vec())
    }
}

impl TryFrom<String> for Aggregates {
    type Error = AggregatesError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parse = |word: &str| {
            Aggregate::ALL
                .into_iter()
                .find(|aggregate| aggregate.as_str() == word)
                .ok_or_else(|| AggregatesError(word.chars().take(20).collect()))
        };
        text.split(',')
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A question for rollups of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupQuery {
    /// The metrics to sum up.
    pub metrics: Vec<Metric>,
    /// First instant inside the range.
    pub start: Timestamp,
    /// First instant outside the range.
    pub end: Timestamp,
    /// The width of a bucket.
    pub interval: Interval,
    /// What to tell of each bucket.
    pub aggregates: Aggregates,
}

/// Why a question is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollupError {
    /// The range is empty or turned around.
    #[error("start must be before end")]
    EmptyRange,
    /// The answer would be too long.
    #[error(
        "{buckets} buckets are more than the maximum of {MAX_BUCKETS}: take a longer interval, such as {suggestion}, a shorter range, or fewer metrics"
    )]
    TooManyBuckets {
        /// How many there could be, over all metrics.
        buckets: i64,
        /// An interval that fits.
        suggestion: String,
    },
}

impl RollupQuery {
    /// Refuses an empty range, and one of too many buckets.
    pub fn check(self) -> Result<Self, RollupError> {
        if self.start >= self.end {
            return Err(RollupError::EmptyRange);
        }
        let buckets = self.buckets(self.interval);
        if buckets > MAX_BUCKETS {
            return Err(RollupError::TooManyBuckets {
                buckets,
                suggestion: self.suggestion(),
            });
        }
        Ok(self)
    }

    /// How many buckets an answer could have, over all metrics.
    fn buckets(&self, interval: Interval) -> i64 {
        let metrics = i64::try_from(self.metrics.len()).unwrap_or(i64::MAX);
        interval
            .buckets_between(self.start, self.end)
            .saturating_mul(metrics)
    }

    /// The shortest of the usual intervals that keeps the range within bounds.
    fn suggestion(&self) -> String {
        [
            "1s", "10s", "1m", "5m", "15m", "1h", "6h", "1d", "7d", "30d",
        ]
        .into_iter()
        .filter_map(|text| Interval::parse(text).ok())
        .find(|interval| self.buckets(*interval) <= MAX_BUCKETS)
        .map_or_else(|| "366d".to_owned(), String::from)
    }
}

/// One window of time with what was measured in it. Empty windows are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant outside.
    pub end: Timestamp,
    /// Number of readings, never 0.
    pub count: i64,
    /// The mean, where it was asked for.
    pub avg: Option<WideDecimal>,
    /// The smallest value, where it was asked for.
    pub min: Option<WideDecimal>,
    /// The largest value, where it was asked for.
    pub max: Option<WideDecimal>,
    /// The sum, where it was asked for.
    pub sum: Option<WideDecimal>,
}

/// The buckets of one metric, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRollup {
    /// What was measured.
    pub metric: Metric,
    /// Its buckets that have readings.
    pub buckets: Vec<Bucket>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(start: &str, end: &str, interval: &str) -> Result<RollupQuery, RollupError> {
        RollupQuery {
            metrics: vec![Metric::parse("t").unwrap()],
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
            interval: Interval::parse(interval).unwrap(),
            aggregates: Aggregates::default(),
        }
        .check()
    }

    #[test]
    fn aggregates_are_a_list() {
        let list = Aggregates::try_from("avg,max".to_owned()).unwrap();
        assert!(list.contains(Aggregate::Max) && !list.contains(Aggregate::Min));
        for text in ["", "avg,", "p95", "AVG", "avg, min"] {
            assert!(Aggregates::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn too_many_buckets_are_refused_with_a_way_out() {
        assert!(query("2026-01-01T00:00:00Z", "2026-01-01T03:03:20Z", "1s").is_ok());
        let error = query("2026-01-01T00:00:00Z", "2026-01-01T03:03:21Z", "1s").unwrap_err();
        let suggestion = "10s".to_owned();
        assert_eq!(
            error,
            RollupError::TooManyBuckets {
                buckets: 11_001,
                suggestion
            }
        );
        let error = query("0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "1s").unwrap_err();
        assert!(matches!(error, RollupError::TooManyBuckets { .. }));
        let empty = query("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "1s");
        assert_eq!(empty, Err(RollupError::EmptyRange));
    }
}
