//! Values as files write them, digit by digit.

use domain::decimal::{DecimalError, ExactDecimal};

/// Reads a number. Beside those of JSON: a plus sign, zeros in front, and no digits on one side of the point.
pub(super) fn parse(text: &str, decimal_comma: bool) -> Result<ExactDecimal, String> {
    let given = if decimal_comma {
        text.replace(',', ".")
    } else {
        text.to_owned()
    };
    let number = ExactDecimal::parse(&given).or_else(|error| match error {
        DecimalError::NotANumber => ExactDecimal::parse(&plain(&given)),
        DecimalError::TooPrecise => Err(error),
    });
    number.map_err(|error| match error {
        DecimalError::NotANumber => format!("the value {text:?} is no number"),
        DecimalError::TooPrecise => format!("the value {text:?} {error}"),
    })
}

/// The same number as JSON would write it, if it is one.
fn plain(text: &str) -> String {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => unsigned.split_at(at),
        None => (unsigned, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_sign = whole.starts_with(['+', '-']);
    if has_sign || (whole.is_empty() && fraction.is_empty()) {
        return text.to_owned();
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_kept() {
        for (text, kept) in [
            ("1.50", "1.50"),
            ("74.93588199999998", "74.93588199999998"),
            ("+1.5", "1.5"),
            (".5", "0.5"),
            ("-.50", "-0.50"),
            ("5.", "5"),
            ("007.10", "7.10"),
            ("00", "0"),
            ("+1.5e3", "1500"),
        ] {
            assert_eq!(parse(text, false).unwrap().to_string(), kept, "{text}");
        }
        assert_eq!(parse("-1,50", true).unwrap().to_string(), "-1.50");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", ".", "+", "-", "NaN", "inf", "1,5", "1 000", "--1", "+-1", "0x10", "1.2.3", "e5",
            ".e5",
        ] {
            assert!(parse(text, false).is_err(), "{text}");
        }
        assert!(
            parse("12345678901234567890123456789", false)
                .unwrap_err()
                .contains("28")
        );
    }
}
