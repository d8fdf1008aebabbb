//! SenML records (RFC 8428) as readings: base fields resolved, exactly and without binary floats.

use super::{Intake, MetricError, Reading, ReadingError, TimeError};
use crate::{
    Timestamp,
    decimal::{DecimalError, ExactDecimal},
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use std::borrow::Cow;

/// Times below this many seconds (2^28) are relative to now (RFC 8428, section 4.5.3).
const ABSOLUTE: i64 = 1 << 28;

/// Most bytes that a resolved name can have and be the name of a metric.
const LONGEST_NAME: usize = 64;

/// The base fields in force: those of a record and, where it has none, of those before it
/// (RFC 8428, section 4.1).
#[derive(Debug, Default)]
pub struct SenmlBase<'a> {
    /// Base name `bn`, put before each name.
    pub name: Option<Cow<'a, str>>,
    /// Base time `bt` in seconds, added to each time.
    pub time: Option<ExactDecimal>,
    /// Base value `bv`, added to each value.
    pub value: Option<ExactDecimal>,
}

/// The fields of a record that make a reading, as JSON text but for the name.
#[derive(Debug, Clone, Copy)]
pub struct SenmlRecord<'a> {
    /// Name `n`.
    pub name: Option<&'a str>,
    /// Value `v`, a number.
    pub value: &'a str,
    /// Time `t`, a number of seconds.
    pub time: Option<&'a str>,
}

impl Intake {
    /// Resolves a record (RFC 8428, section 4.6); what is relative in time is so to the arrival.
    ///
    /// Name, time and value are the sums of base and record; digits beyond microseconds are cut off.
    /// Names that begin with a digit, or are longer than 64 characters, are valid SenML and yet no
    /// names of metrics.
    pub fn senml(
        &mut self,
        base: &SenmlBase<'_>,
        record: SenmlRecord<'_>,
    ) -> Result<Reading, ReadingError> {
        let metric = resolved_name(base.name.as_deref(), record.name)?;
        let metric = self.metrics.get(&metric)?;
        let value = ExactDecimal::parse(record.value)?;
        let value = base
            .value
            .map_or(Ok(value), |base| base.checked_add(value))?;
        let recorded_at = match seconds(base.time, record.time)? {
            Some(seconds) => self.resolved_time(seconds)?,
            None => self.now,
        };
        Ok(Reading {
            metric,
            value,
            recorded_at: self.window.check(recorded_at)?,
        })
    }

    fn resolved_time(&self, seconds: Decimal) -> Result<Timestamp, ReadingError> {
        let out_of_reach = || {
            if seconds.is_sign_negative() {
                ReadingError::TooOld
            } else {
                ReadingError::InFuture
            }
        };
        let micros = whole_micros(seconds).ok_or_else(out_of_reach)?;
        if seconds < Decimal::from(ABSOLUTE) {
            let distance = TimeDelta::microseconds(micros);
            self.now.checked_add_signed(distance)
        } else {
            Timestamp::from_timestamp_micros(micros)
        }
        .ok_or_else(out_of_reach)
    }
}

/// Base name and name in one; no text is put together that would be too long in any case.
fn resolved_name<'a>(
    base: Option<&'a str>,
    name: Option<&'a str>,
) -> Result<Cow<'a, str>, MetricError> {
    match (base.unwrap_or_default(), name.unwrap_or_default()) {
        ("", name) => Ok(name.into()),
        (base, "") => Ok(base.into()),
        (base, name) if base.len() + name.len() <= LONGEST_NAME => Ok([base, name].concat().into()),
        _ => Err(MetricError),
    }
}

/// Seconds of the time, where there is one at all.
fn seconds(base: Option<ExactDecimal>, own: Option<&str>) -> Result<Option<Decimal>, TimeError> {
    let own = own.map(ExactDecimal::parse).transpose();
    let seconds = own.and_then(|own| sum(base, own));
    let seconds = seconds.map_err(|_| TimeError::NotSeconds)?;
    Ok(seconds.map(ExactDecimal::get))
}

fn sum(
    base: Option<ExactDecimal>,
    own: Option<ExactDecimal>,
) -> Result<Option<ExactDecimal>, DecimalError> {
    match (base, own) {
        (Some(base), Some(own)) => base.checked_add(own).map(Some),
        (only, None) | (None, only) => Ok(only),
    }
}

/// Whole microseconds of a number of seconds of at most 28 digits; nothing where they overflow.
fn whole_micros(seconds: Decimal) -> Option<i64> {
    let micros = seconds.mantissa().checked_mul(1_000_000)?;
    let micros = micros.checked_div(10_i128.checked_pow(seconds.scale())?)?;
    i64::try_from(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn intake() -> Intake {
        Intake::new("2026-06-01T12:00:00.5Z".parse().unwrap(), None)
    }

    fn number(text: &str) -> ExactDecimal {
        ExactDecimal::parse(text).unwrap()
    }

    fn time(base: Option<&str>, time: Option<&str>) -> Result<String, &'static str> {
        let base = SenmlBase {
            time: base.map(number),
            ..SenmlBase::default()
        };
        let record = SenmlRecord {
            name: Some("t"),
            value: "1",
            time,
        };
        let reading = intake().senml(&base, record);
        let text = reading.map(|it| it.recorded_at.to_rfc3339());
        text.map_err(|error| error.code())
    }

    #[test]
    fn times_are_absolute_or_relative_to_arrival() {
        for (base, own, expected) in [
            (None, None, "2026-06-01T12:00:00.500+00:00"),
            (None, Some("0"), "2026-06-01T12:00:00.500+00:00"),
            (None, Some("-5"), "2026-06-01T11:59:55.500+00:00"),
            (
                None,
                Some("599.9999999"),
                "2026-06-01T12:10:00.499999+00:00",
            ),
            (Some("-10"), Some("4.25"), "2026-06-01T11:59:54.750+00:00"),
            (
                Some("1.276020076001e+09"),
                Some("-5"),
                "2010-06-08T18:01:11.001+00:00",
            ),
            (
                Some("1276020076.1234567"),
                None,
                "2010-06-08T18:01:16.123456+00:00",
            ),
            (None, Some("-268435456"), "2017-11-28T14:35:44.500+00:00"),
        ] {
            assert_eq!(time(base, own).as_deref(), Ok(expected), "{base:?} {own:?}");
        }
    }

    #[test]
    fn times_out_of_reach_are_too_old_or_in_the_future() {
        for (own, code) in [
            ("268435456", "recorded_at_too_old"),
            ("268435455", "recorded_at_in_future"),
            ("601", "recorded_at_in_future"),
            ("1e27", "recorded_at_in_future"),
            ("-1e27", "recorded_at_too_old"),
            ("1e400", "invalid_recorded_at"),
            ("\"0\"", "invalid_recorded_at"),
        ] {
            assert_eq!(time(None, Some(own)), Err(code), "{own}");
        }
        assert_eq!(
            time(Some("1e27"), Some("1e-20")),
            Err("invalid_recorded_at")
        );
    }

    #[test]
    fn names_and_values_are_added_up() {
        let mut intake = intake();
        let mut resolve = |base: &str, bv: Option<&str>, name: Option<&str>, value: &str| {
            let base = SenmlBase {
                name: Some(base.into()),
                value: bv.map(number),
                ..SenmlBase::default()
            };
            let time = None;
            let reading = intake.senml(&base, SenmlRecord { name, value, time });
            let words = reading.map(|it| format!("{} {}", it.metric.as_str(), it.value));
            words.map_err(|error| error.code())
        };
        let urn = "urn:dev:ow:10e2073a01080063:";
        assert_eq!(
            resolve(urn, Some("20"), Some("voltage"), "0.10"),
            Ok("urn:dev:ow:10e2073a01080063:voltage 20.10".to_owned())
        );
        assert_eq!(resolve("t", None, None, "1.50"), Ok("t 1.50".to_owned()));
        assert_eq!(resolve("", None, None, "1"), Err("invalid_metric"));
        assert_eq!(
            resolve("2001:db8::", None, Some("1"), "1"),
            Err("invalid_metric")
        );
        assert_eq!(
            resolve(urn, None, Some(&"x".repeat(40)), "1"),
            Err("invalid_metric")
        );
        assert_eq!(resolve("t", None, None, "true"), Err("invalid_value"));
        assert_eq!(
            resolve("t", Some("1e27"), None, "0.01"),
            Err("invalid_value")
        );
    }

    proptest! {
        #[test]
        fn never_panics(base in "-?[0-9]{1,14}(\\.[0-9]{1,14})?", time in "\\PC*|-?[1-9][0-9]{0,27}|-?0\\.[0-9]{1,28}") {
            if let Ok(base) = ExactDecimal::parse(&base) {
                let base = SenmlBase { name: Some(time.as_str().into()), time: Some(base), value: Some(base) };
                let _ = intake().senml(&base, SenmlRecord { name: Some("t"), value: &time, time: Some(&time) });
                let base = SenmlBase { name: None, ..base };
                let _ = intake().senml(&base, SenmlRecord { name: Some("t"), value: "1", time: Some(&time) });
            }
        }
    }
}
