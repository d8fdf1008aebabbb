//! Lengths of time as people write them: `30s`, `5m`, `1h`, `1d`.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// A whole number of seconds from one second to 3650 days, written as `<number><s|m|h|d>`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = json!("10m"))]
pub struct Duration(u32);

/// Why a duration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number followed by s, m, h or d, such as 30s or 10m, and at most 3650d")]
pub struct DurationError;

const MAX_SECONDS: u32 = 3650 * 86_400;

impl Duration {
    /// Reads `<number><s|m|h|d>`.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let (count, unit) = split_unit(text).ok_or(DurationError)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(DurationError),
        };
        Self::from_seconds(count.checked_mul(unit).ok_or(DurationError)?)
    }

    /// Takes a number of seconds, from 1 to 315,360,000.
    pub fn from_seconds(seconds: u32) -> Result<Self, DurationError> {
        if (1..=MAX_SECONDS).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(DurationError)
        }
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

/// Splits `15min` into 15 and `min`; none where there is no number, a leading zero, or no unit.
pub(crate) fn split_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    if digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok()?, unit))
}

impl From<Duration> for TimeDelta {
    fn from(duration: Duration) -> Self {
        Self::seconds(duration.0.into())
    }
}

impl TryFrom<String> for Duration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        let seconds = duration.0;
        match seconds {
            _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
            _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
            _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_shortest_form() {
        for (text, seconds, shortest) in [
            ("30s", 30, "30s"),
            ("60s", 60, "1m"),
            ("90m", 5_400, "90m"),
            ("24h", 86_400, "1d"),
        ] {
            let duration = Duration::parse(text).unwrap();
            assert_eq!(duration.seconds(), seconds);
            assert_eq!(String::from(duration), shortest);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "5",
            "m",
            "0m",
            "05m",
            "-5m",
            "5 m",
            "5x",
            "1.5h",
            "5mm",
            "4000d",
            "99999999999s",
            "５m",
        ] {
            assert_eq!(Duration::parse(text), Err(DurationError), "{text}");
        }
    }
}
