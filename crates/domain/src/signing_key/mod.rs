//! Keys that sign access tokens: Ed25519 (RFC 8032), each in its turn.

mod pair;

pub use pair::{PrivateKey, PublicKey, SigningKeyId, SigningKeyIdError};

use crate::{
    Timestamp,
    seal::{NONCE, SealError, Sealer},
    session::ACCESS_LIFETIME,
};
use chrono::TimeDelta;

/// How long a key set may be kept by those who fetched it.
pub const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// How long a key is published before it signs: longer than anyone keeps a set without it.
pub const LEAD: TimeDelta = TimeDelta::minutes(10);

/// How far the clocks of instances may be apart, and how late one may hear of a new key.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// A key with its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Names the key.
    pub id: SigningKeyId,
    /// Verifies what the key signed.
    pub public: PublicKey,
    /// Signs; none once it does so no more.
    pub sealed: Option<Vec<u8>>,
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// When it begins to sign.
    pub signs_from: Timestamp,
    /// When its turn ends; none until there is a successor.
    pub retirement: Option<Retirement>,
}

/// How a key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retirement {
    /// When its successor begins to sign.
    pub signs_until: Timestamp,
    /// When its last token has expired, by any clock.
    pub verifies_until: Timestamp,
}

impl Retirement {
    /// That of a key whose successor begins to sign at this time.
    #[must_use]
    pub fn at(signs_until: Timestamp) -> Self {
        Self {
            signs_until,
            verifies_until: signs_until + ACCESS_LIFETIME + SLACK,
        }
    }

    /// Whether nobody signs with the key any more, whatever their clocks say.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        now >= self.signs_until + SLACK
    }
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKeyStatus {
    /// Published, so that everyone knows it when it begins to sign.
    Published,
    /// New tokens are signed with it.
    Signing,
    /// Tokens that it signed may still be valid.
    Verifying,
    /// Nothing that it signed is valid any more.
    Expired,
}

impl SigningKeyStatus {
    /// A word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Verifying => "verifying",
            Self::Expired => "expired",
        }
    }
}

impl SigningKey {
    /// Where the key is in its life.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> SigningKeyStatus {
        match self.retirement {
            Some(end) if now >= end.verifies_until => SigningKeyStatus::Expired,
            Some(end) if now >= end.signs_until => SigningKeyStatus::Verifying,
            Some(_) | None if now < self.signs_from => SigningKeyStatus::Published,
            Some(_) | None => SigningKeyStatus::Signing,
        }
    }

    /// Whether there is something to be removed: the private part of a key that signs no more, or
    /// a key that verifies nothing any more.
    #[must_use]
    pub fn is_to_be_cleared(&self, now: Timestamp) -> bool {
        self.status(now) == SigningKeyStatus::Expired
            || (self.sealed.is_some() && self.retirement.is_some_and(|end| end.is_idle(now)))
    }
}

/// A key that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSigningKey {
    /// Verifies what the key signs.
    pub public: PublicKey,
    /// Signs.
    pub sealed: Vec<u8>,
}

impl NewSigningKey {
    /// Makes a key of random bits and seals it.
    pub fn new(sealer: &Sealer, seed: [u8; 32], nonce: [u8; NONCE]) -> Result<Self, SealError> {
        let private = PrivateKey::new(seed);
        Ok(Self {
            public: private.public(),
            sealed: private.seal(sealer, nonce)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(retirement: Option<Retirement>) -> SigningKey {
        let private = PrivateKey::new([7; 32]);
        SigningKey {
            id: private.public().id(),
            public: private.public(),
            sealed: Some(vec![1]),
            created_at: at(0),
            signs_from: at(10),
            retirement,
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn a_key_is_published_signs_verifies_and_goes() {
        use SigningKeyStatus::{Expired, Published, Signing, Verifying};
        let end = Retirement::at(at(100));
        for (minute, status, to_be_cleared) in [
            (0, Published, false),
            (9, Published, false),
            (10, Signing, false),
            (99, Signing, false),
            (100, Verifying, false),
            (105, Verifying, true),
            (119, Verifying, true),
            (120, Expired, true),
        ] {
            let key = key(Some(end));
            assert_eq!(key.status(at(minute)), status, "{minute}");
            assert_eq!(key.is_to_be_cleared(at(minute)), to_be_cleared, "{minute}");
        }
        assert_eq!(key(None).status(at(1_000_000)), Signing);
        assert!(!key(None).is_to_be_cleared(at(1_000_000)));
        assert!(LEAD > MAX_AGE);
    }
}
