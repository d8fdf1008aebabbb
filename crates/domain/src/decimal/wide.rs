//! Numbers that the database computed, and how digits go into JSON verbatim.

use super::DecimalError;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// A number that the database computed, such as a sum, with as many digits as it takes.
///
/// It may have more than 28 significant digits: the sum of a million 28-digit readings has 34 digits.
#[derive(Debug, Clone, utoipa::ToSchema)]
#[schema(value_type = f64, example = json!(21.5))]
pub struct WideDecimal(Box<RawValue>);

impl WideDecimal {
    /// Takes the decimal text of a finite number, as `PostgreSQL` writes a `numeric`.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        // What else is JSON begins with something else.
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let digits = is_number.then(|| RawValue::from_string(text.to_owned()));
        match digits {
            Some(Ok(digits)) => Ok(Self(digits)),
            Some(Err(_)) | None => Err(DecimalError::NotANumber),
        }
    }

    /// The same without zeros at the end of its fraction.
    pub fn parse_trimmed(text: &str) -> Result<Self, DecimalError> {
        let shorter = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            text
        };
        Self::parse(shorter)
    }
}

impl PartialEq for WideDecimal {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for WideDecimal {}

impl fmt::Display for WideDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

impl Serialize for WideDecimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_and_zeros_at_the_end_may_go() {
        for (text, trimmed) in [
            ("1.50", "1.5"),
            ("100", "100"),
            ("0.00", "0"),
            ("-20.0", "-20"),
            (
                "12345678901234567890123456789012345678.9010",
                "12345678901234567890123456789012345678.901",
            ),
        ] {
            assert_eq!(WideDecimal::parse(text).unwrap().to_string(), text);
            let number = WideDecimal::parse_trimmed(text).unwrap();
            assert_eq!(number.to_string(), trimmed);
            assert_eq!(serde_json::to_string(&number).unwrap(), trimmed);
        }
        for text in [
            "NaN",
            "Infinity",
            "-Infinity",
            "",
            "-",
            "null",
            "\"1\"",
            "1 2",
            "[1]",
            " 1",
            "1.",
        ] {
            assert!(WideDecimal::parse(text).is_err(), "{text}");
        }
    }
}
