//! The mean of numbers, from their exact sum.

use super::{DecimalError, WideDecimal};

/// Least significant digits of a quotient.
const SIGNIFICANT: i64 = 16;

/// Digits that are counted as one when the length of a number is estimated.
const GROUP: usize = 4;

impl WideDecimal {
    /// A sum, in the decimal text that `PostgreSQL` writes, divided by how many there are, which is at least one;
    /// without zeros at the end.
    ///
    /// Rounded, half away from zero, to the digits that `numeric` division keeps: those of the sum, and at least 16
    /// significant ones (`select_div_scale` in `PostgreSQL`'s numeric.c).
    pub fn mean(sum: &str, count: i64) -> Result<Self, DecimalError> {
        let (sign, digits) = match sum.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", sum),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let divisor = u64::try_from(count)
            .ok()
            .filter(|count| (1..=u64::MAX / 10 - 1).contains(count))
            .ok_or(DecimalError::NotANumber)?;
        if whole.is_empty() {
            return Err(DecimalError::NotANumber);
        }
        let scale = scale(whole, fraction, divisor);
        let text = match divide_short(whole, fraction, scale, divisor) {
            Some(quotient) => write_short(sign, quotient, scale),
            None => write(sign, divide(whole, fraction, scale, divisor)?, scale),
        };
        Self::parse_trimmed(&text)
    }
}

/// Digits after the point of a quotient.
fn scale(whole: &str, fraction: &str, divisor: u64) -> usize {
    let (weight, first) = leading(whole, fraction);
    let (divisor_weight, divisor_first) = leading(&divisor.to_string(), "");
    let quotient_weight = weight - divisor_weight - i64::from(first <= divisor_first);
    let scale = SIGNIFICANT - quotient_weight * 4;
    usize::try_from(scale).unwrap_or(0).max(fraction.len())
}

/// The power of 10,000 of the first group of digits that is not zero, and that group.
fn leading(whole: &str, fraction: &str) -> (i64, u32) {
    let whole = whole.trim_start_matches('0');
    if !whole.is_empty() {
        let weight = (whole.len() - 1) / GROUP;
        let first = whole.get(..whole.len() - weight * GROUP);
        return (weight.try_into().unwrap_or(0), number(first.unwrap_or("")));
    }
    let zeros = fraction.bytes().take_while(|digit| *digit == b'0').count();
    if zeros == fraction.len() {
        return (0, 0);
    }
    let place = zeros / GROUP;
    let group = fraction.get(place * GROUP..).unwrap_or("");
    let group = group.get(..GROUP).unwrap_or(group);
    let missing = u32::try_from(GROUP - group.len()).unwrap_or(0);
    let weight: i64 = place.try_into().unwrap_or(0);
    (-1 - weight, number(group) * 10_u32.pow(missing))
}

fn number(digits: &str) -> u32 {
    digits.parse().unwrap_or(0)
}

/// The quotient as a whole number of units of its last digit, where all fits into 128 bits.
fn divide_short(whole: &str, fraction: &str, scale: usize, divisor: u64) -> Option<u128> {
    let mut number = 0_u128;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = digit.is_ascii_digit().then(|| u128::from(digit - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    let more = u32::try_from(scale - fraction.len()).ok()?;
    let number = number.checked_mul(10_u128.checked_pow(more)?)?;
    let divisor = u128::from(divisor);
    let (quotient, rest) = (number / divisor, number % divisor);
    Some(quotient + u128::from(rest >= divisor - rest))
}

fn write_short(sign: &str, quotient: u128, scale: usize) -> String {
    let sign = if quotient == 0 { "" } else { sign };
    let width = scale + 1;
    let mut text = format!("{sign}{quotient:0>width$}");
    if scale > 0 {
        text.insert(text.len() - scale, '.');
    }
    text
}

/// The digits of a quotient, of which the last `scale` stand behind the point.
fn divide(
    whole: &str,
    fraction: &str,
    scale: usize,
    divisor: u64,
) -> Result<Vec<u8>, DecimalError> {
    let more = std::iter::repeat_n(b'0', scale - fraction.len());
    let mut quotient = Vec::with_capacity(whole.len() + scale + 1);
    let mut rest = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(more) {
        if !digit.is_ascii_digit() {
            return Err(DecimalError::NotANumber);
        }
        rest = rest * 10 + u64::from(digit - b'0');
        quotient.push(u8::try_from(rest / divisor).unwrap_or(9));
        rest %= divisor;
    }
    if rest >= divisor - rest {
        round_up(&mut quotient);
    }
    Ok(quotient)
}

fn round_up(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

fn write(sign: &str, digits: Vec<u8>, scale: usize) -> String {
    let whole = digits.len() - scale;
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let skipped = zeros.min(whole);
    let sign = if zeros == digits.len() { "" } else { sign };
    let mut text = String::with_capacity(digits.len() + 3);
    text.push_str(sign);
    if skipped == whole {
        text.push('0');
    }
    for (place, digit) in digits.into_iter().enumerate().skip(skipped) {
        if place == whole {
            text.push('.');
        }
        text.push(char::from(b'0' + digit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mean(sum: &str, count: i64) -> String {
        WideDecimal::mean(sum, count).unwrap().to_string()
    }

    /// As `select trim_scale(sum / count)` answers.
    #[test]
    fn means_are_what_the_database_makes_of_them() {
        for (sum, count, expected) in [
            ("10", 4, "2.5"),
            ("1", 3, "0.33333333333333333333"),
            ("2", 3, "0.66666666666666666667"),
            ("-2", 3, "-0.66666666666666666667"),
            ("100", 3, "33.3333333333333333"),
            ("10000", 3, "3333.3333333333333333"),
            ("12345678.90", 7, "1763668.414285714286"),
            ("0.00", 7, "0"),
            ("-0.0001", 3, "-0.000033333333333333333333"),
            ("0.0000000001", 3, "0.0000000000333333333333333333"),
            (
                "99999999999999999999999999999999.99",
                9,
                "11111111111111111111111111111111.11",
            ),
            (
                "9.9999999999999999999999999999",
                1,
                "9.9999999999999999999999999999",
            ),
            ("19999", 20000, "0.99995"),
        ] {
            assert_eq!(mean(sum, count), expected, "{sum} / {count}");
        }
        for (sum, count) in [
            ("1", 0),
            ("1", -1),
            ("NaN", 1),
            ("", 1),
            ("1e5", 1),
            ("1.2.3", 1),
        ] {
            assert!(WideDecimal::mean(sum, count).is_err(), "{sum} / {count}");
        }
    }

    proptest! {
        #[test]
        fn a_mean_times_its_count_is_the_sum(sum in -10_i64.pow(12)..10_i64.pow(12), count in 1..100_000_i64) {
            let text = rust_decimal::Decimal::new(sum, 3).to_string();
            let mean: rust_decimal::Decimal = mean(&text, count).parse().unwrap();
            let difference = mean * rust_decimal::Decimal::from(count) - rust_decimal::Decimal::new(sum, 3);
            prop_assert!(difference.abs() < rust_decimal::Decimal::new(1, 3), "{mean}");
        }

        /// The short way is the long one.
        #[test]
        fn both_ways_are_the_same(sum in "[0-9]{1,20}(\\.[0-9]{1,10})?", count in 1..10_000_000_u64) {
            let (whole, fraction) = sum.split_once('.').unwrap_or((&sum, ""));
            let scale = scale(whole, fraction, count);
            let short = divide_short(whole, fraction, scale, count).map(|it| write_short("-", it, scale));
            let long = write("-", divide(whole, fraction, scale, count).unwrap(), scale);
            if let Some(short) = short {
                prop_assert_eq!(short, long);
            }
        }

        #[test]
        fn never_panics(sum in "[-0-9.]{0,40}", count: i64) {
            let _ = WideDecimal::mean(&sum, count);
        }
    }
}
