//! From what clients send to valid readings, with what the readings of one request share.

use super::{
    Precision, RawTime, Reading, ReadingError,
    metric::MetricNames,
    time::{self, Window},
};
use crate::{Timestamp, decimal::ExactDecimal, instant::whole_micros};

/// What a client sends as one reading, each member as it was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawReading<'a> {
    /// The member `metric`.
    pub metric: Option<&'a str>,
    /// The JSON text of the member `value`.
    pub value: Option<&'a str>,
    /// The member `recorded_at`.
    pub recorded_at: Option<RawTime<'a>>,
}

/// Checks the readings of one request.
#[derive(Debug)]
pub struct Intake {
    /// The time of arrival, in whole microseconds.
    pub(super) now: Timestamp,
    pub(super) window: Window,
    pub(super) metrics: MetricNames,
    precision: Option<Precision>,
}

impl Intake {
    /// Begins a request that arrives `now`; `precision` is the unit of times that are numbers.
    #[must_use]
    pub fn new(now: Timestamp, precision: Option<Precision>) -> Self {
        Self {
            now: whole_micros(now),
            window: Window::new(now),
            metrics: MetricNames::default(),
            precision,
        }
    }

    /// Checks what a client sent; a missing time becomes the time of arrival.
    ///
    /// Fails with the first member that is missing or refused, in the order metric, value, time.
    pub fn reading(&mut self, raw: RawReading<'_>) -> Result<Reading, ReadingError> {
        let metric = raw.metric.ok_or(ReadingError::Missing("metric"))?;
        let metric = self.metrics.get(metric)?;
        let value = ExactDecimal::parse(raw.value.ok_or(ReadingError::Missing("value"))?)?;
        let recorded_at = match raw.recorded_at {
            Some(raw) => self.window.check(time::parse(raw, self.precision)?)?,
            None => self.now,
        };
        Ok(Reading {
            metric,
            value,
            recorded_at,
        })
    }
}

impl Reading {
    /// Checks a reading that arrives alone; a missing time becomes `now`, the time of arrival.
    pub fn parse(raw: RawReading<'_>, now: Timestamp) -> Result<Self, ReadingError> {
        Intake::new(now, None).reading(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::TimeError;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00.123456789Z".parse().unwrap()
    }

    fn at(recorded_at: Option<&str>) -> Result<Timestamp, ReadingError> {
        let raw = RawReading {
            metric: Some("t"),
            value: Some("1"),
            recorded_at: recorded_at.map(RawTime::Text),
        };
        Reading::parse(raw, now()).map(|reading| reading.recorded_at)
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
            let expected = Err(TimeError::NotRfc3339.into());
            assert_eq!(at(Some(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_number_is_a_time_only_where_its_unit_is_known() {
        let raw = RawReading {
            metric: Some("t"),
            value: Some("1"),
            recorded_at: Some(RawTime::Number("1780315200")),
        };
        let refused = Reading::parse(raw, now()).unwrap_err();
        assert_eq!(refused, TimeError::NoPrecision.into());
        assert!(refused.to_string().contains("precision"));
        let taken = Intake::new(now(), Some(Precision::Seconds)).reading(raw);
        assert_eq!(
            taken.unwrap().recorded_at.to_rfc3339(),
            "2026-06-01T12:00:00+00:00"
        );
    }

    proptest! {
        #[test]
        fn never_panics(metric in "\\PC*", value in "\\PC*", time in "\\PC*", number in "-?[0-9]{0,40}") {
            for precision in [None, Some(Precision::Seconds), Some(Precision::Nanos)] {
                let mut intake = Intake::new(now(), precision);
                for recorded_at in [RawTime::Text(&time), RawTime::Number(&number)] {
                    let recorded_at = Some(recorded_at);
                    let raw = RawReading { metric: Some(&metric), value: Some(&value), recorded_at };
                    let _ = intake.reading(raw);
                    let _ = intake.reading(RawReading { metric: Some("t"), value: Some("1"), recorded_at });
                }
            }
        }
    }
}
