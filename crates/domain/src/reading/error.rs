//! Why a reading is refused.

use super::{MAX_METRICS, MetricError, TimeError};
use crate::decimal::DecimalError;

/// Why one reading is refused, while others of the same request may be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Not an object with the members of a reading, each once, and no others.
    #[error("{0}")]
    Malformed(String),
    /// A member that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The metric's name is refused.
    #[error("metric {0}")]
    Metric(#[from] MetricError),
    /// The value is refused.
    #[error("value {0}")]
    Value(#[from] DecimalError),
    /// A SenML record (RFC 8428) that measures no number: without `v`, or with `vs`, `vb` or `vd`.
    #[error("only SenML records with a numeric value v are taken, and no other value beside it")]
    NotNumeric,
    /// The time cannot be read.
    #[error("recorded_at {0}")]
    Time(#[from] TimeError),
    /// The time is before the year 2000.
    #[error("recorded_at is before 2000-01-01T00:00:00Z")]
    TooOld,
    /// The time is too far ahead of the service's clock.
    #[error("recorded_at is more than 10 minutes in the future")]
    InFuture,
    /// The device has as many metrics as it may have, and this would be another.
    #[error("the device has {MAX_METRICS} metrics, which is as many as it may have")]
    TooManyMetrics,
    /// The same metric and time is stored with another value, which stays.
    #[error("a reading of this metric at this time is stored with another value")]
    Conflict,
}

impl ReadingError {
    /// Every word that `code` answers.
    pub const CODES: [&'static str; 10] = [
        "malformed_reading",
        "missing_field",
        "invalid_metric",
        "invalid_value",
        "senml_not_numeric",
        "invalid_recorded_at",
        "recorded_at_too_old",
        "recorded_at_in_future",
        "too_many_metrics",
        "reading_conflict",
    ];

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_reading",
            Self::Missing(_) => "missing_field",
            Self::Metric(_) => "invalid_metric",
            Self::Value(_) => "invalid_value",
            Self::NotNumeric => "senml_not_numeric",
            Self::Time(_) => "invalid_recorded_at",
            Self::TooOld => "recorded_at_too_old",
            Self::InFuture => "recorded_at_in_future",
            Self::TooManyMetrics => "too_many_metrics",
            Self::Conflict => "reading_conflict",
        }
    }

    /// The member that is to blame, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Malformed(_) => None,
            Self::Missing(field) => Some(field),
            Self::Metric(_) | Self::TooManyMetrics => Some("metric"),
            Self::Value(_) | Self::NotNumeric | Self::Conflict => Some("value"),
            Self::Time(_) | Self::TooOld | Self::InFuture => Some("recorded_at"),
        }
    }

    /// Whether the very same reading may be taken later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::InFuture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_listed() {
        for error in [
            ReadingError::Malformed(String::new()),
            ReadingError::Missing("value"),
            ReadingError::Metric(MetricError),
            ReadingError::NotNumeric,
            ReadingError::TooOld,
            ReadingError::InFuture,
            ReadingError::TooManyMetrics,
            ReadingError::Conflict,
        ] {
            assert!(ReadingError::CODES.contains(&error.code()), "{error}");
        }
    }
}
