//! Requests that may be sent again: what their sender calls them, and how they are told apart.

use crate::api_key::ApiKeyId;
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

/// How long the answer to a request is kept for those who ask again.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// What a client calls a request, so that it is done once however often it is sent: 1 to 255 visible ASCII characters.
///
/// As draft-ietf-httpapi-idempotency-key-header-07 has it, it may stand in quotes, which do not belong to it; as
/// Stripe has it, it may stand without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 255 visible ASCII characters, such as those of a UUID")]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// Reads a key.
    pub fn parse(text: &str) -> Result<Self, IdempotencyKeyError> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=255).contains(&text.len()) {
            return Err(IdempotencyKeyError);
        }
        let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let key = inner.filter(|it| !it.is_empty()).unwrap_or(text);
        Ok(Self(key.to_owned()))
    }
}

/// What a request asks for: SHA-256 of its method, its path and its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a request.
    #[must_use]
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        Self(digest(&[method.as_bytes(), path.as_bytes(), body]))
    }

    /// What is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// With what credential someone asks. What one of them calls a request says nothing to another, which may see less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Someone who has signed in.
    Session,
    /// A program of the owner's, by its API key.
    ApiKey(ApiKeyId),
}

/// A request of some owner that is to be done once, or one of the parts that it is done in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    id: [u8; 32],
    fingerprint: Fingerprint,
}

impl Attempt {
    /// The request that a caller calls by this key.
    #[must_use]
    pub fn new(caller: Caller, key: &IdempotencyKey, fingerprint: Fingerprint) -> Self {
        let id = match caller {
            Caller::Session => digest(&[b"session", key.0.as_bytes()]),
            Caller::ApiKey(id) => digest(&[b"api_key", id.0.as_bytes(), key.0.as_bytes()]),
        };
        Self { id, fingerprint }
    }

    /// The part of this number of a request that is done in several transactions, each of which is to be done once.
    #[must_use]
    pub fn part(&self, number: u32) -> Self {
        Self {
            id: digest(&[&self.id, &number.to_be_bytes()]),
            ..*self
        }
    }

    /// What it is found by among the requests of its owner.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// What it asks for.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// SHA-256 of several texts, none of which can pass for a part of another.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let add = |hash: Sha256, part: &&[u8]| {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hash.chain_update(length.to_be_bytes()).chain_update(part)
    };
    parts.iter().fold(Sha256::new(), add).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey::parse(text).unwrap()
    }

    #[test]
    fn a_key_is_visible_and_short_and_may_stand_in_quotes() {
        assert_eq!(key("\"a-1\""), key("a-1"));
        for text in ["!", "~", "\"", "\"\"", "\"a", "a\"", &"x".repeat(255)] {
            assert_eq!(key(text).0, text);
        }
        for text in ["", " ", "a b", "é", "a\n", "a\u{7f}", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn requests_differ_by_all_that_they_are_made_of() {
        let prints = [
            Fingerprint::of("POST", "/a", b"b"),
            Fingerprint::of("POST", "/", b"ab"),
            Fingerprint::of("POST", "/ab", b""),
            Fingerprint::of("PUT", "/a", b"b"),
        ];
        for (place, print) in prints.iter().enumerate() {
            assert!(!prints[..place].contains(print), "{place}");
        }
        let attempt = |caller, text| Attempt::new(caller, &key(text), prints[0]);
        let one = attempt(Caller::Session, "1");
        let all = [
            one,
            attempt(Caller::Session, "2"),
            attempt(Caller::ApiKey(ApiKeyId(uuid::Uuid::nil())), "1"),
            attempt(Caller::ApiKey(ApiKeyId(uuid::Uuid::max())), "1"),
            one.part(0),
            one.part(1),
            one.part(0).part(0),
        ];
        for (place, it) in all.iter().enumerate() {
            assert!(
                all[..place].iter().all(|other| other.id != it.id),
                "{place}"
            );
        }
        assert_eq!(one, attempt(Caller::Session, "1"));
    }
}
