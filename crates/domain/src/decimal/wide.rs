//! Numbers that the database computed, and how digits go into JSON verbatim.

use super::{DecimalError, ExactDecimal, is_json_number};
use serde::{Serialize, Serializer, ser};
use serde_json::value::RawValue;
use std::fmt;

/// A number that the database computed, such as a sum, with as many digits as it takes.
///
/// It may have more than 28 significant digits: the sum of a million 28-digit readings has 34 digits.
#[derive(Debug, Clone, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = f64, example = json!(21.5))]
pub struct WideDecimal(String);

impl WideDecimal {
    /// Takes the decimal text of a finite number, as `PostgreSQL` writes a `numeric`.
    pub fn parse(text: String) -> Result<Self, DecimalError> {
        if is_json_number(&text) {
            Ok(Self(text))
        } else {
            Err(DecimalError::NotANumber)
        }
    }
}

impl fmt::Display for WideDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ExactDecimal> for WideDecimal {
    fn from(number: ExactDecimal) -> Self {
        Self(number.to_string())
    }
}

impl Serialize for WideDecimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_number(self.0.clone()).serialize(serializer)
    }
}

/// Digits that JSON output carries verbatim.
pub(super) fn raw_number(digits: String) -> impl Serialize {
    struct Raw(Result<Box<RawValue>, serde_json::Error>);
    impl Serialize for Raw {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match &self.0 {
                Ok(raw) => raw.serialize(serializer),
                Err(error) => Err(ser::Error::custom(error)),
            }
        }
    }
    Raw(RawValue::from_string(digits))
}
