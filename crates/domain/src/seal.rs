//! Secrets that are stored so that only who knows `AUTH_SECRET` can read them.
//!
//! What is only compared is stored hashed (see `token`). This is for what must be read again: mails
//! that wait to be sent, answers that may be repeated, keys that sign.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;

/// Bytes of a nonce. That many may be random: none comes twice by chance.
pub const NONCE: usize = 24;

/// Keeps our keys apart from whatever else is made of the same secret.
const SALT: &[u8] = b"readout seal v1";

/// The first byte of what is sealed, so that another form could be told from this one.
const VERSION: u8 = 1;

/// Seals and opens, by XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha-03), with a key for
/// each purpose that HKDF-SHA256 (RFC 5869) makes of a secret.
///
/// `purpose` is a name such as `"outbox mail"`: what is sealed for one cannot be opened for
/// another. `context` is what the secret belongs to, such as the identifier of its row: it is not
/// stored, and what is moved to another row does not open there.
#[derive(Clone)]
pub struct Sealer {
    current: Hkdf<Sha256>,
    previous: Option<Hkdf<Sha256>>,
}

/// What a seal held.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// What was sealed.
    pub plain: Vec<u8>,
    /// Whether it took the previous secret, so that it must be sealed again before that one goes.
    pub is_stale: bool,
}

/// It cannot be sealed: only for lengths that no memory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is too long to be sealed")]
pub struct SealError;

/// It was sealed with another secret, for another purpose or context, or changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened with AUTH_SECRET, nor with the secret before it")]
pub struct OpenError;

impl Sealer {
    /// Seals with `secret`, and opens with it or else with the `previous` one.
    ///
    /// Both must have at least 32 bytes that cannot be guessed: they are not stretched.
    #[must_use]
    pub fn new(secret: &[u8], previous: Option<&[u8]>) -> Self {
        let extract = |secret| Hkdf::new(Some(SALT), secret);
        Self {
            current: extract(secret),
            previous: previous.map(extract),
        }
    }

    /// Seals with a nonce of fresh random bytes. The result is 41 bytes longer than what is in it.
    pub fn seal(
        &self,
        purpose: &'static str,
        context: &[u8],
        plain: &[u8],
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = cipher(&self.current, purpose)
            .and_then(|cipher| cipher.encrypt(&nonce.into(), payload).ok())
            .ok_or(SealError)?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for this purpose in this context.
    pub fn open(
        &self,
        purpose: &'static str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Opened, OpenError> {
        let (&version, rest) = sealed.split_first().ok_or(OpenError)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(OpenError)?;
        if version != VERSION {
            return Err(OpenError);
        }
        let with = |secret| {
            let payload = Payload {
                msg: sealed,
                aad: context,
            };
            cipher(secret, purpose)?
                .decrypt(&(*nonce).into(), payload)
                .ok()
        };
        let opened = |plain, is_stale| Opened { plain, is_stale };
        if let Some(plain) = with(&self.current) {
            return Ok(opened(plain, false));
        }
        let plain = self.previous.as_ref().and_then(with).ok_or(OpenError)?;
        Ok(opened(plain, true))
    }
}

impl Sealer {
    /// HMAC-SHA256 of parts that are joined, under a key of the current secret (the expansion of HKDF):
    /// for what is only compared, but could be guessed from a plain hash.
    #[must_use]
    pub fn digest(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        let mut info = vec![b"digest\0".as_slice(), purpose.as_bytes(), b"\0"];
        info.extend(parts);
        let mut digest = [0; 32];
        // Fails only for what is longer than 255 hashes.
        let _ = self.current.expand_multi_info(&info, &mut digest);
        digest
    }
}

/// The cipher of a purpose. There always is one: the key is shorter than HKDF's longest.
fn cipher(secret: &Hkdf<Sha256>, purpose: &str) -> Option<XChaCha20Poly1305> {
    let mut key = [0; 32];
    secret.expand(purpose.as_bytes(), &mut key).ok()?;
    Some(XChaCha20Poly1305::new(&key.into()))
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OLD: &[u8] = b"an old secret of at least 32 bytes";
    const NEW: &[u8] = b"a new secret of at least 32 bytes";

    fn seal(sealer: &Sealer, plain: &[u8]) -> Vec<u8> {
        sealer.seal("a", b"row 1", plain, [7; NONCE]).unwrap()
    }

    #[test]
    fn only_the_same_secret_purpose_and_context_open() {
        let ours = Sealer::new(NEW, None);
        let sealed = seal(&ours, b"plain");
        assert_eq!(sealed.len(), 5 + 41);
        let opened = ours.open("a", b"row 1", &sealed).unwrap();
        assert_eq!(opened.plain, b"plain");
        assert!(!opened.is_stale);
        assert_eq!(ours.open("b", b"row 1", &sealed), Err(OpenError));
        assert_eq!(ours.open("a", b"row 2", &sealed), Err(OpenError));
        let other = Sealer::new(OLD, None);
        assert_eq!(other.open("a", b"row 1", &sealed), Err(OpenError));
    }

    #[test]
    fn the_previous_secret_opens_and_never_seals() {
        let sealed = seal(&Sealer::new(OLD, None), b"plain");
        let rotated = Sealer::new(NEW, Some(OLD));
        let opened = rotated.open("a", b"row 1", &sealed).unwrap();
        assert_eq!(opened.plain, b"plain");
        assert!(opened.is_stale);
        let again = seal(&rotated, b"plain");
        let after = Sealer::new(NEW, None);
        assert!(!after.open("a", b"row 1", &again).unwrap().is_stale);
        assert_eq!(after.open("a", b"row 1", &sealed), Err(OpenError));
    }

    /// What is stored today must open tomorrow: nothing of this may change by accident.
    #[test]
    fn the_form_stays_as_it_is() {
        let sealed = seal(&Sealer::new(NEW, None), b"plain");
        assert_eq!(
            crate::hex::encode(&sealed),
            "01070707070707070707070707070707070707070707070707fcafc2d691fff1dc4e5476b1d271e860adc3aea996"
        );
    }

    #[test]
    fn neither_the_secret_nor_what_was_sealed_is_printed() {
        let sealer = Sealer::new(NEW, Some(OLD));
        let opened = sealer
            .open("a", b"row 1", &seal(&sealer, b"plain"))
            .unwrap();
        assert_eq!(format!("{sealer:?} {opened:?}"), "Sealer(…) Opened(…)");
    }

    proptest! {
        #[test]
        fn what_was_changed_or_cut_does_not_open(
            plain: Vec<u8>, at: prop::sample::Index, bit in 0_u8..8, cut: prop::sample::Index,
        ) {
            let ours = Sealer::new(NEW, Some(OLD));
            let sealed = seal(&ours, &plain);
            prop_assert_eq!(ours.open("a", b"row 1", &sealed).unwrap().plain, plain);
            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= 1 << bit;
            prop_assert_eq!(ours.open("a", b"row 1", &changed), Err(OpenError));
            let cut = &sealed[..cut.index(sealed.len())];
            prop_assert_eq!(ours.open("a", b"row 1", cut), Err(OpenError));
        }

        #[test]
        fn nonsense_does_not_open(sealed: Vec<u8>) {
            prop_assert_eq!(Sealer::new(NEW, None).open("a", b"", &sealed), Err(OpenError));
        }
    }
}
