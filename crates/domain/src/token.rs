//! Opaque random tokens: how they are written, recognised and kept.

use crate::hex;
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 256 bits take 43 digits of base 62.
const BODY: usize = 43;

/// 32 bits take 6 digits of base 62.
const CHECKSUM: usize = 6;

/// Writes 256 random bits as `<prefix><43 digits><6 digits of checksum>`, in base 62.
///
/// The checksum lets a typing error, or a scanner that looks for leaked keys, be told from a real
/// key without asking the database.
pub(crate) fn write(prefix: &str, random: [u8; 32]) -> String {
    with_checksum(format!("{prefix}{}", base62(&random, BODY)))
}

/// Writes a token that has its first `kept` characters, prefix included, in common with this one, and its other digits
/// from 256 random bits.
pub(crate) fn write_akin(token: &str, kept: usize, random: [u8; 32]) -> String {
    let common: String = token.chars().take(kept).collect();
    let digits = token.len().saturating_sub(kept + CHECKSUM);
    with_checksum(format!("{common}{}", base62(&random, digits)))
}

fn with_checksum(mut text: String) -> String {
    let checksum = checksum(&text);
    text.push_str(&checksum);
    text
}

/// Whether the text has the form and the checksum of a token with this prefix.
pub(crate) fn is_well_formed(prefix: &str, text: &str) -> bool {
    text.is_ascii()
        && text.starts_with(prefix)
        && text.len() == prefix.len() + BODY + CHECKSUM
        && text
            .split_at_checked(prefix.len() + BODY)
            .is_some_and(|(body, sum)| checksum(body) == sum)
}

/// SHA-256 in hex. A token of 256 random bits needs no salt and no slow hash.
pub(crate) fn hash(text: &str) -> String {
    hex::encode(&digest(text))
}

/// SHA-256.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let first: Vec<u8> = digest.iter().copied().take(4).collect();
    base62(&first, CHECKSUM)
}

/// A big-endian number in base 62, padded to a width.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let dividend = remainder << 8 | u32::from(*byte);
            // The quotient of a dividend below 62 * 256 by 62 fits a byte.
            *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
            remainder = dividend % 62;
        }
        let digit = ALPHABET.get(remainder as usize).copied().unwrap_or(b'0');
        digits.push(char::from(digit));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_numbers_in_base_62() {
        assert_eq!(base62(&[0, 61], 3), "00z");
        assert_eq!(base62(&[0, 62], 3), "010");
        assert_eq!(base62(&[255; 4], 6), "4gfFC3");
    }

    proptest! {
        #[test]
        fn recognises_what_it_wrote_and_nothing_near(random: [u8; 32], at in 4_usize..53) {
            let token = write("rdk_", random);
            prop_assert_eq!(token.len(), 53);
            prop_assert!(is_well_formed("rdk_", &token));
            prop_assert!(!is_well_formed("rrt_", &token));
            let mut bytes = token.into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            prop_assert!(!is_well_formed("rdk_", &String::from_utf8(bytes).unwrap()));
        }

        #[test]
        fn a_token_akin_to_another_begins_like_it(random: [u8; 32], other: [u8; 32]) {
            let token = write("rrt_", random);
            let akin = write_akin(&token, 25, other);
            prop_assert!(is_well_formed("rrt_", &akin));
            prop_assert_eq!(&akin[..25], &token[..25]);
            prop_assert_eq!(&akin[25..47], &write("rrt_", other)[25..47]);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            is_well_formed("rdk_", &format!("rdk_{text}"));
        }
    }
}
