//! The two halves of a key, and its name.

use crate::seal::{NONCE, OpenError, SealError, Sealer};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// What private keys are sealed for.
const PURPOSE: &str = "signing key";

/// Digits of a thumbprint: 256 bits in base 64.
const THUMBPRINT: usize = 43;

/// Names a key by its thumbprint (RFC 7638); tokens cite it as `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SigningKeyId(String);

/// The text is not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a thumbprint of 43 digits in base 64")]
pub struct SigningKeyIdError;

impl SigningKeyId {
    /// Checks the form; whether there is such a key, only the database knows.
    pub fn parse(text: &str) -> Result<Self, SigningKeyIdError> {
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if text.len() == THUMBPRINT && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SigningKeyIdError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SigningKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What verifies; anyone may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key as it is stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key as it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as JSON Web Keys have it in `x` (RFC 8037, section 2).
    #[must_use]
    pub fn to_base64(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The thumbprint: SHA-256 of the required members in the order of their names (RFC 7638, 3).
    #[must_use]
    pub fn id(self) -> SigningKeyId {
        let x = self.to_base64();
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        SigningKeyId(URL_SAFE_NO_PAD.encode(Sha256::digest(members)))
    }
}

/// What signs. Never printed, and never stored but sealed.
#[derive(Clone)]
pub struct PrivateKey(ed25519_dalek::SigningKey);

impl PrivateKey {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&random))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The key in the form of PKCS #8 (RFC 8410, section 7).
    #[must_use]
    pub fn to_pkcs8(&self) -> Vec<u8> {
        // SEQUENCE { version 0, SEQUENCE { 1.3.101.112 }, OCTET STRING { OCTET STRING { seed } } }
        const HEAD: [u8; 16] = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        [HEAD.as_slice(), self.0.as_bytes()].concat()
    }

    /// Seals the key for its row.
    pub fn seal(&self, sealer: &Sealer, nonce: [u8; NONCE]) -> Result<Vec<u8>, SealError> {
        let id = self.public().id();
        sealer.seal(PURPOSE, id.as_str().as_bytes(), self.0.as_bytes(), nonce)
    }

    /// Opens what was sealed for the row of this name, and says whether it must be sealed again.
    pub fn open(
        sealer: &Sealer,
        id: &SigningKeyId,
        stored: &[u8],
    ) -> Result<(Self, bool), OpenError> {
        let opened = sealer.open(PURPOSE, id.as_str().as_bytes(), stored)?;
        let seed = opened.plain.try_into().map_err(|_| OpenError)?;
        Ok((Self::new(seed), opened.is_stale))
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A: the keys, and in A.3 the thumbprint.
    #[test]
    fn keys_and_names_are_those_of_the_standard() {
        let bytes = |text| URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap();
        let private = PrivateKey::new(bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
        let x = private.public().to_base64();
        assert_eq!(x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let id = private.public().id();
        assert_eq!(id.as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(SigningKeyId::parse(id.as_str()), Ok(id));
        assert_eq!(private.to_pkcs8().len(), 48);
        for text in ["", "x", &"x".repeat(44), &"é".repeat(22), &"/".repeat(43)] {
            assert_eq!(SigningKeyId::parse(text), Err(SigningKeyIdError));
        }
    }

    #[test]
    fn a_private_key_opens_for_its_own_row_alone_and_is_not_printed() {
        let sealer = Sealer::new(&[1; 32], None);
        let private = PrivateKey::new([7; 32]);
        let id = private.public().id();
        let stored = private.seal(&sealer, [2; NONCE]).unwrap();
        let (opened, is_stale) = PrivateKey::open(&sealer, &id, &stored).unwrap();
        assert_eq!((opened.public(), is_stale), (private.public(), false));
        let other = PrivateKey::new([8; 32]).public().id();
        assert!(PrivateKey::open(&sealer, &other, &stored).is_err());
        let next = Sealer::new(&[3; 32], Some(&[1; 32]));
        assert!(PrivateKey::open(&next, &id, &stored).unwrap().1);
        assert!(PrivateKey::open(&Sealer::new(&[3; 32], None), &id, &stored).is_err());
        assert_eq!(format!("{opened:?}"), "PrivateKey(…)");
    }
}
