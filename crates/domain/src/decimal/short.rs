//! A fast path for the short numbers that sensors send.

use rust_decimal::Decimal;

/// Most bytes of a number that is read here: its digits then fit 64 bits, whatever they are.
pub(super) const LONGEST: usize = 18;

/// Reads a JSON number without an exponent; nothing where it is longer, or looks any different.
pub(super) fn parse(text: &str) -> Option<Decimal> {
    if text.len() > LONGEST {
        return None;
    }
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // JSON knows no leading zeros, no point at either end, and no number without a digit.
    if let [] | [b'0', b'0'..=b'9', ..] | [b'.', ..] | [.., b'.'] = digits {
        return None;
    }
    let (mut mantissa, mut scale, mut has_point) = (0_i64, 0, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + i64::from(byte - b'0');
                scale += u32::from(has_point);
            }
            b'.' if !has_point => has_point = true,
            _ => return None,
        }
    }
    let mantissa = if is_negative { -mantissa } else { mantissa };
    Decimal::try_new(mantissa, scale).ok()
}
