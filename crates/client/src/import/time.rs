//! Times as files write them.

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeZone};
use chrono_tz::Tz;
use clap::ValueEnum;
use domain::{Timestamp, reading::Precision};

/// Ways to write a local time that are understood where a time zone is named.
const USUAL: [&str; 4] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
];

/// What to take a local time for that happens twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Ambiguous {
    /// Reject the line
    Reject,
    /// The first of the two, by summer time
    Earlier,
    /// The second, by standard time
    Later,
}

/// How times are written; RFC 3339 where nothing else is said.
#[derive(Debug, Clone)]
pub(super) struct TimeOptions {
    pub(super) precision: Option<Precision>,
    pub(super) format: Option<String>,
    pub(super) zone: Option<Tz>,
    pub(super) ambiguous: Ambiguous,
}

impl TimeOptions {
    /// Reads a time, to the microsecond.
    pub(super) fn parse(&self, text: &str) -> Result<Timestamp, String> {
        let time = match (self.precision, &self.format) {
            (Some(precision), _) => since_1970(text, precision),
            (None, Some(format)) => self.formatted(text, format),
            (None, None) => self.usual(text),
        }?;
        Ok(time.trunc_subsecs(6))
    }

    fn formatted(&self, text: &str, format: &str) -> Result<Timestamp, String> {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Ok(time.to_utc());
        }
        let local = NaiveDateTime::parse_from_str(text, format);
        let local =
            local.map_err(|_| format!("the time {text:?} is not written like {format:?}"))?;
        self.local(local)
    }

    fn usual(&self, text: &str) -> Result<Timestamp, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(time.to_utc());
        }
        let local = USUAL
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        match local {
            Some(local) => self.local(local),
            None => Err(format!(
                "the time {text:?} is none of RFC 3339, such as 2026-01-31T12:00:00Z: see --precision and --time-format"
            )),
        }
    }

    /// A time by the clocks of the zone.
    fn local(&self, local: NaiveDateTime) -> Result<Timestamp, String> {
        let zone = self
            .zone
            .ok_or_else(|| format!("the time {local} has no offset from UTC: see --timezone"))?;
        let times = zone.from_local_datetime(&local);
        let time = match (times.earliest(), times.latest(), self.ambiguous) {
            (None, _, _) | (_, None, _) => {
                return Err(format!(
                    "the time {local} does not exist in {zone}: clocks go forward then"
                ));
            }
            (Some(earlier), Some(later), Ambiguous::Reject) if earlier != later => {
                return Err(format!(
                    "the time {local} happens twice in {zone}: see --ambiguous"
                ));
            }
            (Some(earlier), Some(_), Ambiguous::Reject | Ambiguous::Earlier) => earlier,
            (Some(_), Some(later), Ambiguous::Later) => later,
        };
        Ok(time.to_utc())
    }
}

/// Reads a number of a unit, also with digits after the point, of which those beyond microseconds are cut off.
fn since_1970(text: &str, precision: Precision) -> Result<Timestamp, String> {
    let wanted = || format!("the time {text:?} is no number");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !is_number(unsigned) || !is_number(fraction) {
        return Err(wanted());
    }
    let places = match precision {
        Precision::Seconds => 6,
        Precision::Millis => 3,
        Precision::Micros | Precision::Nanos => 0,
    };
    // The digits of the unit and as many more as there are to a microsecond.
    let mut digits = whole.to_owned();
    digits.extend(fraction.chars().chain(std::iter::repeat('0')).take(places));
    let count: i64 = digits.parse().map_err(|_| wanted())?;
    let micros = match precision {
        Precision::Nanos => count.div_euclid(1_000),
        Precision::Seconds | Precision::Millis | Precision::Micros => count,
    };
    Timestamp::from_timestamp_micros(micros).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TimeOptions {
        TimeOptions {
            precision: None,
            format: None,
            zone: None,
            ambiguous: Ambiguous::Reject,
        }
    }

    #[track_caller]
    fn assert_reads(options: &TimeOptions, text: &str, time: &str) {
        assert_eq!(options.parse(text), Ok(time.parse().unwrap()), "{text}");
    }

    #[test]
    fn times_since_1970_are_exact_in_every_unit() {
        for (precision, text, time) in [
            (Precision::Seconds, "1769860800", "2026-01-31T12:00:00Z"),
            (
                Precision::Seconds,
                "1769860800.1234569",
                "2026-01-31T12:00:00.123456Z",
            ),
            (Precision::Seconds, "1769860800.5", "2026-01-31T12:00:00.5Z"),
            (
                Precision::Millis,
                "1769860800001",
                "2026-01-31T12:00:00.001Z",
            ),
            (
                Precision::Micros,
                "1769860800000001",
                "2026-01-31T12:00:00.000001Z",
            ),
            (
                Precision::Nanos,
                "1769860800000001999",
                "2026-01-31T12:00:00.000001Z",
            ),
        ] {
            let options = TimeOptions {
                precision: Some(precision),
                ..options()
            };
            assert_reads(&options, text, time);
            for text in [
                "",
                "-",
                "1e9",
                "1.2.3",
                "99999999999999999999",
                "2026-01-31T12:00:00Z",
            ] {
                assert!(options.parse(text).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn local_times_need_a_zone_and_know_its_clocks() {
        let text = "2026-07-01 12:00:00";
        assert!(options().parse(text).unwrap_err().contains("--timezone"));
        let berlin = TimeOptions {
            zone: Some(Tz::Europe__Berlin),
            ..options()
        };
        assert_reads(&berlin, text, "2026-07-01T10:00:00Z");
        assert_reads(&berlin, "2026-01-01T12:00", "2026-01-01T11:00:00Z");
        assert_reads(&berlin, "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z");
        assert!(
            berlin
                .parse("2026-03-29 02:30:00")
                .unwrap_err()
                .contains("does not exist")
        );
        let twice = "2026-10-25 02:30:00";
        assert!(berlin.parse(twice).unwrap_err().contains("twice"));
        let earlier = TimeOptions {
            ambiguous: Ambiguous::Earlier,
            ..berlin.clone()
        };
        assert_reads(&earlier, twice, "2026-10-25T00:30:00Z");
        let later = TimeOptions {
            ambiguous: Ambiguous::Later,
            ..berlin
        };
        assert_reads(&later, twice, "2026-10-25T01:30:00Z");
    }

    #[test]
    fn any_format_can_be_told() {
        let options = TimeOptions {
            format: Some("%d.%m.%Y %H:%M".to_owned()),
            zone: Some(Tz::UTC),
            ..options()
        };
        assert_reads(&options, "31.01.2026 12:00", "2026-01-31T12:00:00Z");
        assert!(options.parse("2026-01-31T12:00:00Z").is_err());
        let offset = TimeOptions {
            format: Some("%Y%m%d %H%M%S %z".to_owned()),
            ..self::options()
        };
        assert_reads(&offset, "20260131 140000 +0200", "2026-01-31T12:00:00Z");
    }
}
