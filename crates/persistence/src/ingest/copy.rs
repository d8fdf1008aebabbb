//! Rows in the binary form of COPY (`PostgreSQL`'s manual, "COPY", "Binary Format").

use super::group::Row;
use domain::decimal::ExactDecimal;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Microseconds from 1970 to 2000, where `PostgreSQL` counts from.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Digits of `numeric` are to the base of ten thousand.
const BASE: u128 = 10_000;

/// The rows, for `copy samples (series_id, recorded_at, value) from stdin (format binary)`.
pub(super) fn encode(rows: &[&Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * 48 + 32);
    bytes.extend_from_slice(SIGNATURE);
    // No flags, and no extension of the header.
    bytes.extend_from_slice(&[0; 8]);
    for row in rows {
        bytes.extend_from_slice(&3_i16.to_be_bytes());
        bytes.extend_from_slice(&4_i32.to_be_bytes());
        bytes.extend_from_slice(&row.series_id.to_be_bytes());
        bytes.extend_from_slice(&8_i32.to_be_bytes());
        let micros = row.recorded_at.timestamp_micros() - POSTGRES_EPOCH;
        bytes.extend_from_slice(&micros.to_be_bytes());
        numeric(row.value, &mut bytes);
    }
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    bytes
}

/// Writes length and content of a `numeric` as `numeric_recv` reads it: count of digits, weight of the
/// first, sign, digits after the point as they are shown, then the digits.
fn numeric(value: ExactDecimal, bytes: &mut Vec<u8>) {
    let value = value.get();
    let scale = value.scale();
    let after_point = scale.div_ceil(4);
    // At most 28 digits and three more, which fits.
    let mut rest = value.mantissa().unsigned_abs() * 10_u128.pow(after_point * 4 - scale);
    // From the last digit to the first; at most 8 before the point and 7 after it.
    let mut digits = [0_i16; 16];
    let mut count = 0_usize;
    for digit in &mut digits {
        if rest == 0 {
            break;
        }
        *digit = i16::try_from(rest % BASE).unwrap_or_default();
        rest /= BASE;
        count += 1;
    }
    let all = digits.get(..count).unwrap_or_default();
    let trailing_zeros = all.iter().take_while(|digit| **digit == 0).count();
    let significant = all.get(trailing_zeros..).unwrap_or_default();
    let short = |number: usize| i16::try_from(number).unwrap_or_default();
    let weight = if count == 0 {
        0
    } else {
        short(count) - i16::try_from(after_point).unwrap_or_default() - 1
    };
    let sign: u16 = if value.is_sign_negative() { 0x4000 } else { 0 };

    let length = i32::from(short(8 + 2 * significant.len()));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&short(significant.len()).to_be_bytes());
    bytes.extend_from_slice(&weight.to_be_bytes());
    bytes.extend_from_slice(&sign.to_be_bytes());
    bytes.extend_from_slice(&i16::try_from(scale).unwrap_or_default().to_be_bytes());
    for digit in significant.iter().rev() {
        bytes.extend_from_slice(&digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<i16> {
        let mut bytes = Vec::new();
        numeric(ExactDecimal::parse(text).unwrap(), &mut bytes);
        let (length, content) = bytes.split_at(4);
        assert_eq!(
            u32::from_be_bytes(length.try_into().unwrap()) as usize,
            content.len()
        );
        let pair = |pair: &[u8]| i16::from_be_bytes(pair.try_into().unwrap());
        content.chunks(2).map(pair).collect()
    }

    #[test]
    fn numbers_are_written_as_postgresql_reads_them() {
        // Count, weight, sign, scale, digits.
        let cases: [(&str, &[i16]); 10] = [
            ("0", &[0, 0, 0, 0]),
            ("0.00", &[0, 0, 0, 2]),
            ("1", &[1, 0, 0, 0, 1]),
            ("-1.50", &[2, 0, 0x4000, 2, 1, 5000]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("123456.789", &[3, 1, 0, 3, 12, 3456, 7890]),
            ("0.0001", &[1, -1, 0, 4, 1]),
            ("0.00001", &[1, -2, 0, 5, 1000]),
            ("1e20", &[1, 5, 0, 0, 1]),
            (
                "9999999999999999999999999999",
                &[7, 6, 0, 0, 9999, 9999, 9999, 9999, 9999, 9999, 9999],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words("1e-28"), [1, -7, 0, 28, 1]);
    }
}
