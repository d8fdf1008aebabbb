//! Exact decimal numbers, in JSON and out of it without ever being a binary float.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

mod mean;
mod short;
mod sum;
mod wide;

pub use wide::WideDecimal;

/// One more than the largest 28-digit mantissa.
const MANTISSA_LIMIT: u128 = 10_u128.pow(28);

/// Most digits after the point.
const MAX_SCALE: u32 = 28;

/// A finite decimal number of at most 28 significant digits and at most 28 digits after the point.
///
/// Digits are kept as they were written, so that `1.50` stays `1.50`; equality is numeric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = f64, exclusive_minimum = -1e28, exclusive_maximum = 1e28, example = json!(21.5))]
pub struct ExactDecimal(Decimal);

/// Why a number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a JSON number at all, for example a string or `null`.
    #[error("must be a JSON number")]
    NotANumber,
    /// More digits than can be kept exactly.
    #[error("must have at most 28 significant digits, and at most 28 after the decimal point")]
    TooPrecise,
}

impl ExactDecimal {
    /// Reads a number in the grammar of JSON (RFC 8259, section 6), exponents included.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        match short::parse(text) {
            Some(number) => Ok(Self(number)),
            None => Self::parse_any(text),
        }
    }

    /// Reads a number of any length.
    fn parse_any(text: &str) -> Result<Self, DecimalError> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                // An exponent that does not fit is out of range, unless it is no number at all.
                let digits = exponent.trim_start_matches(['+', '-']);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(DecimalError::NotANumber);
                }
                (
                    mantissa,
                    exponent.parse().map_err(|_| DecimalError::TooPrecise)?,
                )
            }
            None => (text, 0_i32),
        };
        if !is_json_number(mantissa) {
            return Err(DecimalError::NotANumber);
        }
        let number = Decimal::from_str_exact(mantissa).map_err(|_| DecimalError::TooPrecise)?;
        Self::try_from(shift(number, exponent)?)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> Decimal {
        self.0
    }
}

/// Whether the text is a JSON number without an exponent.
fn is_json_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// Moves the decimal point, exactly or not at all.
fn shift(mut number: Decimal, exponent: i32) -> Result<Decimal, DecimalError> {
    if exponent == 0 || number.is_zero() {
        return Ok(number);
    }
    let scale = i64::from(number.scale()) - i64::from(exponent);
    if scale >= 0 {
        let scale = u32::try_from(scale).map_err(|_| DecimalError::TooPrecise)?;
        number
            .set_scale(scale)
            .map_err(|_| DecimalError::TooPrecise)?;
        return Ok(number);
    }
    let power = u32::try_from(-scale).map_err(|_| DecimalError::TooPrecise)?;
    let factor = 10_i128.checked_pow(power).ok_or(DecimalError::TooPrecise)?;
    number
        .mantissa()
        .checked_mul(factor)
        .and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, 0).ok())
        .ok_or(DecimalError::TooPrecise)
}

impl TryFrom<Decimal> for ExactDecimal {
    type Error = DecimalError;

    fn try_from(number: Decimal) -> Result<Self, Self::Error> {
        if number.mantissa().unsigned_abs() >= MANTISSA_LIMIT || number.scale() > MAX_SCALE {
            return Err(DecimalError::TooPrecise);
        }
        // There is no negative zero among readings.
        Ok(Self(if number.is_zero() {
            number.abs()
        } else {
            number
        }))
    }
}

impl std::fmt::Display for ExactDecimal {
    /// Writes all digits, trailing zeros included, as JSON and `PostgreSQL` read them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ExactDecimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = RawValue::from_string(self.to_string()).map_err(ser::Error::custom)?;
        digits.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExactDecimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_digits_as_written() {
        for text in [
            "0",
            "1.50",
            "-0.001",
            "74.93588199999998",
            "9999999999999999999999999999",
        ] {
            let number: ExactDecimal = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&number).unwrap(), text);
        }
    }

    #[test]
    fn resolves_exponents_exactly() {
        for (text, plain) in [
            ("1.5e3", "1500"),
            ("15E-1", "1.5"),
            ("1e27", "1000000000000000000000000000"),
            ("0e999", "0"),
            ("-0.0", "0.0"),
            ("1.25e1", "12.5"),
        ] {
            assert_eq!(
                ExactDecimal::parse(text).unwrap().get().to_string(),
                plain,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_it_cannot_keep() {
        for text in [
            "1e28",
            "1e-29",
            "1e400",
            "1e99999999999",
            "12345678901234567890123456789",
        ] {
            assert_eq!(
                ExactDecimal::parse(text),
                Err(DecimalError::TooPrecise),
                "{text}"
            );
        }
        for text in [
            "", "NaN", "Infinity", "-", "1.", ".5", "01", "\"1\"", "null", "1e", "0x1", "1_0",
        ] {
            assert_eq!(
                ExactDecimal::parse(text),
                Err(DecimalError::NotANumber),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = ExactDecimal::parse(&text);
        }

        #[test]
        fn short_numbers_are_read_as_any_other(text in "-?[0-9]{0,10}\\.?[0-9]{0,10}[e ]?") {
            if let Some(number) = short::parse(&text) {
                let general = ExactDecimal::parse_any(&text).unwrap().get();
                prop_assert_eq!(number.to_string(), general.to_string(), "{}", text);
            } else if text.len() <= short::LONGEST {
                prop_assert!(text.contains('e') || ExactDecimal::parse_any(&text).is_err(), "{}", text);
            }
        }

        #[test]
        fn survives_a_round_trip(mantissa in -(10_i128.pow(28) - 1)..10_i128.pow(28), scale in 0_u32..=28) {
            let decimal = Decimal::from_i128_with_scale(mantissa, scale);
            let number = ExactDecimal::try_from(decimal).unwrap();
            let text = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<ExactDecimal>(&text).unwrap(), number);
            prop_assert_eq!(text, number.get().to_string());
        }
    }
}
