//! The bytes of a request, made once; only digits are written anew for each time it is sent.

use crate::reading::{EPOCH, Reading};
use std::time::UNIX_EPOCH;

const BLANK: &[u8] =
    br#"{"metric":"temperature","value":000.000,"recorded_at":"0000-00-00T00:00:00.000Z"}"#;

/// Places in a reading.
const WHOLE: usize = 32;
const THOUSANDTHS: usize = 36;
const DATE: usize = 55;
const TIME: usize = 66;

const DAY: u64 = 86_400;

/// A request that one connection sends again and again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where its readings begin.
    readings: Vec<usize>,
    /// The number of the next reading.
    next: u64,
    /// Seconds between two readings.
    spacing: u64,
    /// The time of the last reading in milliseconds since 1970, where each is of the moment at which it is sent.
    sent_at: Option<u64>,
    /// The day that is written in `date`, in days since 1970.
    day: u64,
    date: [u8; 10],
}

impl Request {
    /// Asks whether the server lives.
    pub(crate) fn health() -> Self {
        let head = "GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
        Self::new(head.as_bytes().to_vec(), Vec::new())
    }

    /// Asks for a path of the API as the user of this token, with further lines of the head.
    pub(crate) fn get(path: &str, token: &str, more: &str) -> Self {
        let head = format!(
            "GET /api/v1/{path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n{more}\r\n"
        );
        Self::new(head.into_bytes(), Vec::new())
    }

    /// Posts so many readings as the device of this key: one as an object, more as a list.
    pub(crate) fn post(key: &str, readings: usize) -> Self {
        let list = usize::from(readings > 1);
        let length = readings * (BLANK.len() + 1) - 1 + 2 * list;
        let head = format!(
            "POST /api/v1/readings HTTP/1.1\r\nhost: 127.0.0.1\r\nx-device-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        let mut places = Vec::with_capacity(readings);
        for n in 0..readings {
            match n {
                0 if list == 0 => {}
                0 => bytes.push(b'['),
                _ => bytes.push(b','),
            }
            places.push(bytes.len());
            bytes.extend(BLANK);
        }
        if list == 1 {
            bytes.push(b']');
        }
        Self::new(bytes, places)
    }

    fn new(bytes: Vec<u8>, readings: Vec<usize>) -> Self {
        Self {
            bytes,
            readings,
            next: 0,
            spacing: 1,
            sent_at: None,
            day: 0,
            date: [b'0'; 10],
        }
    }

    /// Goes on where another request of the same device has come to.
    pub(crate) fn follow(&mut self, other: &Self) {
        self.next = other.next;
    }

    /// Lets its next reading be of this time, in seconds since 1970.
    pub(crate) fn begin_at(&mut self, seconds: u64) {
        self.next = seconds - EPOCH;
    }

    /// Lets its readings be so many seconds apart.
    pub(crate) fn spaced(self, spacing: u64) -> Self {
        Self { spacing, ..self }
    }

    /// Lets each reading be of the moment at which it is sent, as those of a device that is heard all day.
    pub(crate) fn live(self) -> Self {
        Self {
            sent_at: Some(0),
            ..self
        }
    }

    /// How many readings it carries.
    pub(crate) fn readings(&self) -> usize {
        self.readings.len()
    }

    /// The bytes as they were last prepared.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes readings into it that were never sent before.
    pub(crate) fn prepare(&mut self) {
        for &place in &self.readings {
            let reading = Reading(self.next);
            self.next += 1;
            let (seconds, milliseconds) = if let Some(before) = self.sent_at {
                let now = UNIX_EPOCH.elapsed().unwrap().as_millis();
                let at = u64::try_from(now).unwrap().max(before + 1);
                self.sent_at = Some(at);
                (at / 1000, at % 1000)
            } else {
                let seconds = EPOCH + reading.0 * self.spacing;
                (seconds, reading.milliseconds())
            };
            if seconds / DAY != self.day {
                self.day = seconds / DAY;
                self.date = date(self.day);
            }
            let out = &mut self.bytes[place..place + BLANK.len()];
            digits(&mut out[WHOLE..WHOLE + 3], reading.whole());
            digits(
                &mut out[THOUSANDTHS..THOUSANDTHS + 3],
                reading.thousandths(),
            );
            out[DATE..DATE + 10].copy_from_slice(&self.date);
            let time = &mut out[TIME..TIME + 12];
            digits(&mut time[0..2], seconds % DAY / 3600);
            digits(&mut time[3..5], seconds % 3600 / 60);
            digits(&mut time[6..8], seconds % 60);
            digits(&mut time[9..12], milliseconds);
        }
    }
}

/// Writes a number into all of `out`.
fn digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789"[usize::try_from(number % 10).unwrap()];
        number /= 10;
    }
}

/// The date of a day in days since 1970.
fn date(day: u64) -> [u8; 10] {
    let at = chrono::DateTime::from_timestamp((day * DAY).try_into().unwrap(), 0).unwrap();
    at.format("%Y-%m-%d")
        .to_string()
        .as_bytes()
        .try_into()
        .unwrap()
}
