//! Personal API keys: what programs of a user authenticate with.

mod scope;

pub use scope::{Scope, ScopeError, Scopes, ScopesError};

use crate::{Timestamp, hex, id::id, instant::Instant, token, user::DisplayName};
use serde::Deserialize;

id!(
    /// Identifies an API key; it is not the key.
    ApiKeyId
);

/// Most keys that a user has.
pub const MAX_API_KEYS: u64 = 50;

/// There are as many keys as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {MAX_API_KEYS} API keys already, which is the maximum: revoke one")]
pub struct TooManyApiKeys;

const PREFIX: &str = "rpk_";

/// Characters of a key that are kept in the clear, to recognise it by.
const VISIBLE: usize = 10;

/// The key itself: `rpk_`, 256 random bits in base 62, a checksum. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyToken(String);

/// The text is not an API key of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an API key: one begins with rpk_ and has 53 characters")]
pub struct ApiKeyTokenError;

impl ApiKeyToken {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(token::write(PREFIX, random))
    }

    /// Whether the text means to be an API key, well formed or not.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Checks form and checksum; whether a user has this key, only the database knows.
    pub fn parse(text: &str) -> Result<Self, ApiKeyTokenError> {
        if token::is_well_formed(PREFIX, text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ApiKeyTokenError)
        }
    }

    /// The key as the program keeps it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored to find the key by.
    #[must_use]
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash(token::digest(&self.0))
    }

    /// The first ten characters, to tell keys apart by.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.get(..VISIBLE).unwrap_or(PREFIX)
    }
}

impl std::fmt::Debug for ApiKeyToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKeyToken(…)")
    }
}

/// SHA-256 of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// The 64 hex digits that are stored.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

/// What to make a key for.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What the key is for.
    #[schema(example = "Nightly export")]
    pub name: DisplayName,
    /// What it may be used for. None includes another: to see and to change devices takes both.
    #[schema(value_type = Vec<Scope>, min_items = 1, example = json!(["devices:read", "readings:read"]))]
    pub scopes: Scopes,
    /// When it ends by itself, a time to come; without it, when it is revoked.
    #[schema(value_type = Option<String>, format = DateTime, example = json!(null))]
    pub expires_at: Option<Instant>,
}

/// The key would have ended before it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time to come")]
pub struct AlreadyExpired;

impl NewApiKey {
    /// When the key is to end, if that is yet to come.
    pub fn expiry(&self, now: Timestamp) -> Result<Option<Timestamp>, AlreadyExpired> {
        match self.expires_at.map(Instant::get) {
            Some(at) if at <= now => Err(AlreadyExpired),
            expiry => Ok(expiry),
        }
    }
}

/// An API key as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Identifies the key.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: DisplayName,
    /// First characters of the key.
    pub key_prefix: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used; moves at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_is_recognised_and_not_printed() {
        let key = ApiKeyToken::new([7; 32]);
        assert_eq!(ApiKeyToken::parse(key.reveal()), Ok(key.clone()));
        assert_eq!(key.prefix().len(), VISIBLE);
        assert!(key.reveal().starts_with(key.prefix()));
        assert_eq!(key.hash().to_hex().len(), 64);
        assert_eq!(format!("{key:?}"), "ApiKeyToken(…)");
        for text in ["rpk_nonsense", "rpk_é", "", "rdk_"] {
            assert_eq!(ApiKeyToken::parse(text), Err(ApiKeyTokenError));
        }
        let as_device_key = key.reveal().replace("rpk_", "rdk_");
        assert!(ApiKeyToken::parse(&as_device_key).is_err());
    }

    #[test]
    fn a_key_ends_in_time_to_come_or_never() {
        let new = |expires_at| {
            let new = json!({"name": "x", "scopes": ["devices:read"], "expires_at": expires_at});
            serde_json::from_value::<NewApiKey>(new).unwrap()
        };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(new(json!(null)).expiry(now), Ok(None));
        assert_eq!(new(json!(now)).expiry(now), Err(AlreadyExpired));
        let later = now + chrono::TimeDelta::microseconds(1);
        assert_eq!(new(json!(later)).expiry(now), Ok(Some(later)));
    }
}
