//! Instants that a question may name.

use crate::Timestamp;
use chrono::Datelike;
use serde::{Deserialize, Serialize};

/// An instant from the year 1 to the year 9999, which every layer below can compute with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "Timestamp")]
#[schema(value_type = String, format = DateTime)]
pub struct Instant(Timestamp);

/// The text is no time, or the year has more than four digits or is not of our era.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time such as 2026-01-31T12:00:00Z (in a URL, write + as %2B)")]
pub struct InstantError;

impl Instant {
    /// The instant, in whole microseconds.
    #[must_use]
    pub fn get(self) -> Timestamp {
        self.0
    }
}

impl TryFrom<String> for Instant {
    type Error = InstantError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let at: Timestamp = text.parse().map_err(|_| InstantError)?;
        Self::try_from(at)
    }
}

impl TryFrom<Timestamp> for Instant {
    type Error = InstantError;

    fn try_from(at: Timestamp) -> Result<Self, Self::Error> {
        if (1..=9999).contains(&at.year()) {
            Ok(Self(whole_micros(at)))
        } else {
            Err(InstantError)
        }
    }
}

/// The instant in whole microseconds since 1970, as `PostgreSQL` counts them.
///
/// A leap second (`23:59:60`) has no number of its own there: it is the first second after it.
pub(crate) fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

impl From<Instant> for Timestamp {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_second_is_the_second_after_it() {
        let leap: Timestamp = "2016-12-31T23:59:60.5Z".parse().unwrap();
        let after: Timestamp = "2017-01-01T00:00:00.5Z".parse().unwrap();
        assert_eq!(whole_micros(leap), after);
    }

    #[test]
    fn only_four_digit_years_are_taken() {
        for (text, taken) in [
            ("0001-01-01T00:00:00Z", true),
            ("9999-12-31T23:59:59.999999Z", true),
            ("2016-12-31T23:59:60Z", true),
            ("0000-12-31T23:59:59Z", false),
            ("-262143-01-01T00:00:00Z", false),
            ("+262142-12-31T23:59:59Z", false),
        ] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(Instant::try_from(at).is_ok(), taken, "{text}");
        }
    }
}
