//! Readings: a metric, an exact value, and the time of measurement.

use crate::{Timestamp, decimal::DecimalError, decimal::ExactDecimal, instant::whole_micros};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// Most readings that one request may carry.
pub const MAX_BATCH: usize = 10_000;

/// Most metrics that one device may have.
pub const MAX_METRICS: usize = 1_000;

/// How far ahead of the service's clock a device's clock may be.
pub const MAX_AHEAD: TimeDelta = TimeDelta::minutes(10);

/// The name of what is measured: `[A-Za-z][A-Za-z0-9_.:/-]{0,63}`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$", example = json!("temperature"))]
pub struct Metric(String);

/// The text is not the name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a letter followed by at most 63 letters, digits or any of _ . : / -")]
pub struct MetricError;

impl Metric {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Self, MetricError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if begins_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(MetricError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Metric {
    type Error = MetricError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.0
    }
}

/// A reading that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What was measured.
    pub metric: Metric,
    /// The value.
    pub value: ExactDecimal,
    /// When it was measured, in whole microseconds.
    pub recorded_at: Timestamp,
}

/// What a client sends as one reading, each member as it was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawReading<'a> {
    /// The member `metric`.
    pub metric: Option<&'a str>,
    /// The JSON text of the member `value`.
    pub value: Option<&'a str>,
    /// The member `recorded_at`.
    pub recorded_at: Option<&'a str>,
}

/// Why one reading is refused, while others of the same request may be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Not a JSON object with the members of a reading and no others.
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
    /// The time is not an RFC 3339 time.
    #[error("recorded_at must be an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z")]
    Time,
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
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_reading",
            Self::Missing(_) => "missing_field",
            Self::Metric(_) => "invalid_metric",
            Self::Value(_) => "invalid_value",
            Self::Time => "invalid_recorded_at",
            Self::TooOld => "recorded_at_too_old",
            Self::InFuture => "recorded_at_in_future",
            Self::TooManyMetrics => "too_many_metrics",
            Self::Conflict => "conflict",
        }
    }

    /// The member that is to blame, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Malformed(_) => None,
            Self::Missing(field) => Some(field),
            Self::Metric(_) | Self::TooManyMetrics => Some("metric"),
            Self::Value(_) | Self::Conflict => Some("value"),
            Self::Time | Self::TooOld | Self::InFuture => Some("recorded_at"),
        }
    }

    /// Whether the very same reading may be taken later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::InFuture)
    }
}

impl Reading {
    /// Checks what a client sent; a missing time becomes `now`, the time of arrival.
    pub fn parse(raw: RawReading<'_>, now: Timestamp) -> Result<Self, ReadingError> {
        let metric = Metric::parse(raw.metric.ok_or(ReadingError::Missing("metric"))?)?;
        let value = ExactDecimal::parse(raw.value.ok_or(ReadingError::Missing("value"))?)?;
        let recorded_at = match raw.recorded_at {
            Some(text) => parse_time(text, now)?,
            None => whole_micros(now),
        };
        Ok(Self {
            metric,
            value,
            recorded_at,
        })
    }
}

fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, ReadingError> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| ReadingError::Time)?;
    let time = whole_micros(time.to_utc());
    if time < earliest() {
        return Err(ReadingError::TooOld);
    }
    if time > now + MAX_AHEAD {
        return Err(ReadingError::InFuture);
    }
    Ok(time)
}

/// The earliest time of measurement: 2000-01-01T00:00:00Z.
#[must_use]
pub fn earliest() -> Timestamp {
    Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0)
        .single()
        .unwrap_or_default()
}

/// What became of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now.
    Created,
    /// Stored before, with this same value.
    Duplicate,
    /// Not stored.
    Rejected(ReadingError),
}

/// A half-open range of time: `start <= t < end`, each side open where it is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant inside.
    pub start: Option<Timestamp>,
    /// First instant outside.
    pub end: Option<Timestamp>,
}

/// The first and last time of measurement of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSummary {
    /// What was measured.
    pub metric: Metric,
    /// When it was first measured.
    pub first_recorded_at: Timestamp,
    /// When it was last measured.
    pub last_recorded_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00.123456789Z".parse().unwrap()
    }

    fn at(recorded_at: Option<&str>) -> Result<Timestamp, ReadingError> {
        let raw = RawReading {
            metric: Some("t"),
            value: Some("1"),
            recorded_at,
        };
        Reading::parse(raw, now()).map(|reading| reading.recorded_at)
    }

    #[test]
    fn metric_names_have_an_alphabet_and_a_length() {
        for name in ["t", "Temp.out:1/a-b_c", &"x".repeat(64)] {
            assert!(Metric::parse(name).is_ok(), "{name}");
        }
        for name in ["", "1t", "_t", "t t", "té", "t\n", "a'b", &"x".repeat(65)] {
            assert!(Metric::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn time_is_kept_to_the_microsecond_and_defaults_to_arrival() {
        assert_eq!(
            at(None).unwrap().to_rfc3339(),
            "2026-06-01T12:00:00.123456+00:00"
        );
        assert_eq!(
            at(Some("2026-06-01T14:00:00.9999999+02:00"))
                .unwrap()
                .to_rfc3339(),
            "2026-06-01T12:00:00.999999+00:00"
        );
    }

    #[test]
    fn time_is_bounded_on_both_sides() {
        assert!(at(Some("2000-01-01T00:00:00Z")).is_ok());
        assert_eq!(
            at(Some("1999-12-31T23:59:59.999999Z")),
            Err(ReadingError::TooOld)
        );
        assert!(at(Some("2026-06-01T12:10:00.123456Z")).is_ok());
        assert_eq!(
            at(Some("2026-06-01T12:10:00.123457Z")),
            Err(ReadingError::InFuture)
        );
        for text in [
            "",
            "2026-06-01",
            "2026-06-01T12:00:00",
            "1780315200",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(at(Some(text)), Err(ReadingError::Time), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(metric in "\\PC*", value in "\\PC*", time in "\\PC*") {
            let raw = RawReading { metric: Some(&metric), value: Some(&value), recorded_at: Some(&time) };
            let _ = Reading::parse(raw, now());
        }
    }
}
