//! Exact sums.

use super::{DecimalError, ExactDecimal};
use rust_decimal::Decimal;

impl ExactDecimal {
    /// The exact sum, with as many digits after the point as the longer of the two.
    ///
    /// Fails with [`DecimalError::TooPrecise`] where it cannot be kept exactly: nothing is rounded.
    pub fn checked_add(self, other: Self) -> Result<Self, DecimalError> {
        let (a, b) = (self.0, other.0);
        // Zeros at the end are kept as long as there is room for them.
        let plain = add(a, b).and_then(Self::try_from);
        plain.or_else(|_| Self::try_from(add(a.normalize(), b.normalize())?.normalize()))
    }
}

/// Adds in 128 bits. What overflows them has more than 28 digits in any case, since at least one
/// number was moved, and its last digit stands where the other has none.
fn add(a: Decimal, b: Decimal) -> Result<Decimal, DecimalError> {
    let scale = a.scale().max(b.scale());
    let moved = |number: Decimal| {
        let factor = 10_i128.checked_pow(scale - number.scale())?;
        number.mantissa().checked_mul(factor)
    };
    moved(a)
        .zip(moved(b))
        .and_then(|(a, b)| a.checked_add(b))
        .and_then(|sum| Decimal::try_from_i128_with_scale(sum, scale).ok())
        .ok_or(DecimalError::TooPrecise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(a: &str, b: &str) -> Result<String, DecimalError> {
        let [a, b] = [a, b].map(|text| ExactDecimal::parse(text).unwrap());
        a.checked_add(b).map(|sum| sum.to_string())
    }

    #[test]
    fn sums_are_exact_or_refused() {
        for (a, b, expected) in [
            ("20", "1.50", "21.50"),
            ("0.1", "0.2", "0.3"),
            ("-0.5", "0.5", "0.0"),
            (
                "9999999999999999999999999999",
                "-1",
                "9999999999999999999999999998",
            ),
            (
                "0.0000000000000000000000000000",
                "12345678901",
                "12345678901",
            ),
            (
                "1000000000000000000000000000",
                "0.0000",
                "1000000000000000000000000000",
            ),
            (
                "0.9999999999999999999999999999",
                "0.0000000000000000000000000001",
                "1",
            ),
        ] {
            assert_eq!(sum(a, b).as_deref(), Ok(expected), "{a} + {b}");
        }
        for (a, b) in [
            ("1000000000000000000000000000", "0.01"),
            ("9999999999999999999999999999", "1"),
            ("1e27", "1e-28"),
        ] {
            assert_eq!(sum(a, b), Err(DecimalError::TooPrecise), "{a} + {b}");
        }
    }

    proptest! {
        #[test]
        fn short_sums_are_those_of_integers(a in -10_i64.pow(15)..10_i64.pow(15), b in -10_i64.pow(15)..10_i64.pow(15), scale in 0..6_u32) {
            let [x, y] = [a, b].map(|n| ExactDecimal::try_from(Decimal::new(n, scale)).unwrap());
            prop_assert_eq!(x.checked_add(y).unwrap().get(), Decimal::new(a + b, scale));
        }

        #[test]
        fn never_panics(a: i128, b: i128, x in 0..=28_u32, y in 0..=28_u32) {
            let number = |mantissa: i128, scale| Decimal::try_from_i128_with_scale(mantissa % 10_i128.pow(28), scale).unwrap();
            let [a, b] = [number(a, x), number(b, y)].map(|it| ExactDecimal::try_from(it).unwrap());
            let _ = a.checked_add(b);
        }
    }
}
