//! The readings that are posted, each known by its device and its number alone.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use std::fmt::Write;

const METRICS: [&str; 3] = ["temperature", "humidity", "pressure"];

/// The year that the first device begins in.
const FIRST_YEAR: i32 = 2005;

/// A reading. Its metric, value and time follow from these two numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The place of its device among all.
    pub(crate) device: usize,
    pub(crate) number: u64,
}

impl Reading {
    pub(crate) fn metric(self) -> &'static str {
        METRICS[usize::try_from(self.number % 3).unwrap()]
    }

    /// A time that no other reading of the device has: a minute apart, so that a run goes through many
    /// months and new partitions are made while processes die. Devices begin two years apart.
    pub(crate) fn recorded_at(self) -> String {
        let year = FIRST_YEAR + 2 * i32::try_from(self.device).unwrap();
        let first: DateTime<Utc> = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
        let after = TimeDelta::minutes(self.number.cast_signed());
        (first + after).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The value as it is written: up to ten digits, of which up to four are after the point, zeros at
    /// the end included.
    pub(crate) fn value(self) -> String {
        let mixed = (self.number + 7 * self.device as u64).wrapping_mul(2_654_435_761);
        let (digits, places) = (1 + mixed % 9_999_999_999, (mixed >> 40) % 5);
        let sign = if self.number.is_multiple_of(2) {
            ""
        } else {
            "-"
        };
        let unit = 10_u64.pow(u32::try_from(places).unwrap());
        match usize::try_from(places).unwrap() {
            0 => format!("{sign}{digits}"),
            places => format!("{sign}{}.{:0places$}", digits / unit, digits % unit),
        }
    }
}

/// Readings of one device with neighbouring numbers, which are posted together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) device: usize,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

impl Span {
    pub(crate) fn readings(self) -> impl Iterator<Item = Reading> {
        let device = self.device;
        let numbers = self.first..self.first + self.count;
        numbers.map(move |number| Reading { device, number })
    }

    /// The body of the request: an object for one reading, a list for more.
    pub(crate) fn body(self) -> String {
        let mut body = String::new();
        for reading in self.readings() {
            body.push(if body.is_empty() { '[' } else { ',' });
            write!(
                body,
                r#"{{"metric":"{}","value":{},"recorded_at":"{}"}}"#,
                reading.metric(),
                reading.value(),
                reading.recorded_at()
            )
            .unwrap();
        }
        match self.count {
            1 => body.split_off(1),
            _ => body + "]",
        }
    }
}
