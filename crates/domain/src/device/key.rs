//! The key that identifies a device for life.

use crate::{hex, token};

const PREFIX: &str = "rdk_";

/// Characters of a key that are kept in the clear, to recognise it by.
const VISIBLE: usize = 10;

/// The secret that a device authenticates with: `rdk_`, 256 random bits in base 62, a checksum.
///
/// It identifies the physical device: made once at provisioning and never again. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey(String);

/// The text is not a device key of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a device key: one begins with rdk_ and has 53 characters")]
pub struct DeviceKeyError;

impl DeviceKey {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(token::write(PREFIX, random))
    }

    /// Checks form and checksum; whether a device has this key, only the database knows.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        if token::is_well_formed(PREFIX, text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DeviceKeyError)
        }
    }

    /// The key as the device keeps it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored to find the device by.
    #[must_use]
    pub fn hash(&self) -> DeviceKeyHash {
        DeviceKeyHash(token::digest(&self.0))
    }

    /// The first ten characters, to tell keys apart by.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.get(..VISIBLE).unwrap_or(PREFIX)
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKey(…)")
    }
}

/// SHA-256 of a device key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKeyHash([u8; 32]);

impl DeviceKeyHash {
    /// The 64 hex digits that are stored.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

/// The text with `rdk_…` in the place of everything that looks like a device key, whole or in part.
#[must_use]
pub fn mask_keys(text: &str) -> String {
    let mut pieces = text.split(PREFIX);
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        masked.push_str(PREFIX);
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if rest.len() < piece.len() {
            masked.push('…');
        }
        masked.push_str(rest);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_masked_wherever_they_stand() {
        let key = DeviceKey::new([7; 32]);
        let key = key.reveal();
        for (text, masked) in [
            (key.to_owned(), "rdk_…".to_owned()),
            (
                format!(r#"{{"key":"{key}","again":"{key}"}}"#),
                r#"{"key":"rdk_…","again":"rdk_…"}"#.to_owned(),
            ),
            (format!("{key}{key}é"), "rdk_…rdk_…é".to_owned()),
            (format!("rdk_{key}"), "rdk_rdk_…".to_owned()),
            (
                "a rdk_abc.d rdk_ e".to_owned(),
                "a rdk_….d rdk_ e".to_owned(),
            ),
            ("no key".to_owned(), "no key".to_owned()),
        ] {
            assert_eq!(mask_keys(&text), masked);
        }
    }

    #[test]
    fn key_is_recognised_and_not_printed() {
        let key = DeviceKey::new([7; 32]);
        assert_eq!(DeviceKey::parse(key.reveal()), Ok(key.clone()));
        assert!(key.reveal().starts_with(key.prefix()));
        assert_eq!(key.hash().to_hex().len(), 64);
        assert!(!format!("{key:?}").contains(key.prefix()));
        assert!(DeviceKey::parse("rdk_nonsense").is_err());
        assert!(DeviceKey::parse("rdk_é").is_err());
    }
}
