//! Times of measurement, as RFC 3339 writes them or as a number of some unit since 1970.

use super::ReadingError;
use crate::{Timestamp, instant::whole_micros};
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use serde::Deserialize;

/// How far ahead of the service's clock a device's clock may be.
pub const MAX_AHEAD: TimeDelta = TimeDelta::minutes(10);

/// The unit of a time that is written as a whole number, counted since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
pub enum Precision {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millis,
    /// Microseconds.
    #[serde(rename = "us")]
    Micros,
    /// Nanoseconds, of which whole microseconds are kept.
    #[serde(rename = "ns")]
    Nanos,
}

/// A time of measurement as a client wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawTime<'a> {
    /// The content of a string.
    Text(&'a str),
    /// The digits of a JSON number.
    Number(&'a str),
    /// Neither.
    Other,
}

/// What was written is no time of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an RFC 3339 time.
    #[error("must be an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z")]
    NotRfc3339,
    /// A number whose unit nobody has told.
    #[error(
        "must be an RFC 3339 time such as 2026-01-31T12:00:00Z; \
         for a number, the query parameter precision must tell its unit: s, ms, us or ns"
    )]
    NoPrecision,
    /// A number with a fraction or an exponent.
    #[error("must be a whole number of what precision names, or an RFC 3339 time")]
    NotWhole,
    /// The `t` of a SenML record is no number of seconds.
    #[error("must be told by t as a JSON number of seconds with at most 28 significant digits")]
    NotSeconds,
}

/// The times that are taken, as seen from the moment of arrival.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    earliest: Timestamp,
    latest: Timestamp,
}

impl Window {
    /// The window at this moment.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            earliest: earliest(),
            latest: now
                .checked_add_signed(MAX_AHEAD)
                .unwrap_or(Timestamp::MAX_UTC),
        }
    }

    /// The time itself, if it is inside.
    pub(super) fn check(self, time: Timestamp) -> Result<Timestamp, ReadingError> {
        if time < self.earliest {
            return Err(ReadingError::TooOld);
        }
        if time > self.latest {
            return Err(ReadingError::InFuture);
        }
        Ok(time)
    }
}

/// Reads a time, to the microsecond, wherever it lies.
pub(super) fn parse(
    raw: RawTime<'_>,
    precision: Option<Precision>,
) -> Result<Timestamp, ReadingError> {
    match raw {
        RawTime::Text(text) => Ok(rfc3339(text)?),
        RawTime::Number(digits) => {
            let precision = precision.ok_or(TimeError::NoPrecision)?;
            since_1970(digits, precision)
        }
        RawTime::Other => Err(TimeError::NotRfc3339.into()),
    }
}

/// The earliest time of measurement: 2000-01-01T00:00:00Z.
#[must_use]
pub fn earliest() -> Timestamp {
    Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0)
        .single()
        .unwrap_or_default()
}

fn rfc3339(text: &str) -> Result<Timestamp, TimeError> {
    canonical(text)
        .or_else(|| general(text))
        .ok_or(TimeError::NotRfc3339)
}

/// Whatever else RFC 3339 allows: leap seconds, lower case, a blank for the T.
fn general(text: &str) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(whole_micros(time.to_utc()))
}

/// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`, as nearly every device writes it, several
/// times faster than the general parser; nothing where the text looks any different.
fn canonical(text: &str) -> Option<Timestamp> {
    let (head, tail) = text.as_bytes().split_first_chunk::<19>()?;
    #[rustfmt::skip]
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = *head else {
        return None;
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let (micros, zone) = fraction(tail)?;
    let [hour, minute, second] = [[h1, h2], [i1, i2], [s1, s2]].map(|pair| number(&pair));
    // A leap second is none of these, so it is left to the general parser.
    let local = date.and_hms_micro_opt(hour?, minute?, second?, micros)?;
    local.and_utc().checked_sub_signed(offset(zone)?)
}

/// The microseconds of a fraction, and what follows it.
fn fraction(tail: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', rest @ ..] = tail else {
        return Some((0, tail));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = rest.split_at_checked(length)?;
    if !(1..=9).contains(&length) {
        return None;
    }
    let kept = digits.iter().copied().chain(std::iter::repeat(b'0'));
    let micros = kept
        .take(6)
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some((micros, zone))
}

/// How far the clock that was read is ahead of UTC.
fn offset(zone: &[u8]) -> Option<TimeDelta> {
    match *zone {
        [b'Z'] => Some(TimeDelta::zero()),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = TimeDelta::minutes(i64::from(hours * 60 + minutes));
            Some(if sign == b'-' { -ahead } else { ahead })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum: u32, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

/// Reads a whole number of some unit since 1970. What no calendar reaches is too old or in the future.
fn since_1970(digits: &str, precision: Precision) -> Result<Timestamp, ReadingError> {
    let is_negative = digits.starts_with('-');
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TimeError::NotWhole.into());
    }
    let count = digits.parse::<i64>().ok();
    let micros = count.and_then(|count| match precision {
        Precision::Seconds => count.checked_mul(1_000_000),
        Precision::Millis => count.checked_mul(1_000),
        Precision::Micros => Some(count),
        Precision::Nanos => Some(count.div_euclid(1_000)),
    });
    let out_of_reach = if is_negative {
        ReadingError::TooOld
    } else {
        ReadingError::InFuture
    };
    micros
        .and_then(Timestamp::from_timestamp_micros)
        .ok_or(out_of_reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(digits: &str, precision: Precision) -> Result<String, &'static str> {
        since_1970(digits, precision)
            .map(|time| time.to_rfc3339())
            .map_err(|error| error.code())
    }

    #[test]
    fn numbers_are_counted_in_the_unit_that_was_named() {
        let noon = Ok("2026-01-31T12:00:00+00:00".to_owned());
        assert_eq!(counted("1769860800", Precision::Seconds), noon);
        assert_eq!(counted("1769860800000", Precision::Millis), noon);
        assert_eq!(counted("1769860800000000", Precision::Micros), noon);
        assert_eq!(counted("1769860800000000999", Precision::Nanos), noon);
        assert_eq!(
            counted("-1", Precision::Nanos).unwrap(),
            "1969-12-31T23:59:59.999999+00:00"
        );
    }

    #[test]
    fn no_number_is_too_large_to_be_judged() {
        for precision in [
            Precision::Seconds,
            Precision::Millis,
            Precision::Micros,
            Precision::Nanos,
        ] {
            for (digits, code) in [
                ("99999999999999999999", "recorded_at_in_future"),
                ("-99999999999999999999", "recorded_at_too_old"),
                ("1.5", "invalid_recorded_at"),
                ("1e9", "invalid_recorded_at"),
                ("-", "invalid_recorded_at"),
            ] {
                assert_eq!(counted(digits, precision), Err(code), "{digits}");
            }
        }
        let most = counted("9223372036854775807", Precision::Seconds);
        assert_eq!(most, Err("recorded_at_in_future"));
        let least = counted("-9223372036854775808", Precision::Micros);
        assert_eq!(least, Err("recorded_at_too_old"));
    }

    #[test]
    fn what_is_not_canonical_is_left_to_the_general_parser() {
        for text in [
            "2016-12-31T23:59:60Z",
            "2026-01-31t12:00:00z",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00.0123456789Z",
        ] {
            assert!(canonical(text).is_none() && rfc3339(text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_path_says_what_the_general_parser_says(
            (year, month, day) in (0..=9999_u32, 0..=13_u32, 0..=32_u32),
            (hour, minute, second) in (0..=25_u32, 0..=61_u32, 0..=61_u32),
            fraction in "(\\.[0-9]{0,10})?",
            zone in "Z|z||[+-][0-2][0-9]:[0-6][0-9]|[+-][0-9]{4}",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            if let Some(time) = canonical(&text) {
                prop_assert_eq!(Some(time), general(&text), "{}", text);
            } else if second < 60 && zone != "z" && fraction.len() <= 10 {
                prop_assert_eq!(None, general(&text), "{}", text);
            }
        }

        #[test]
        fn one_letter_changed_is_judged_alike(place in 0..32_usize, letter in "[ -~]") {
            let mut text = "2026-06-01T12:34:56.123456+02:30".to_owned();
            text.replace_range(place..=place, &letter);
            if let Some(time) = canonical(&text) {
                prop_assert_eq!(Some(time), general(&text));
            }
        }
    }
}
