//! Sessions: what a sign-in opens, a refresh continues, and a sign-out ends.

use crate::{Timestamp, id::id, token};
use serde::Deserialize;

id!(
    /// Identifies a session; an access token names it as `sid`.
    SessionId
);

/// How long a session lives without being refreshed.
pub const REFRESH_LIFETIME: chrono::TimeDelta = chrono::TimeDelta::days(30);

const PREFIX: &str = "rrt_";

/// The opaque, single-use token that continues a session. Never printed, never stored.
#[derive(Clone, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, example = json!("rrt_…"))]
pub struct RefreshToken(String);

/// The text is not a refresh token of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a refresh token of this service")]
pub struct RefreshTokenError;

impl RefreshToken {
    /// Makes a token of 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(token::write(PREFIX, random))
    }

    /// The token as the client keeps it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it: SHA-256 in hex.
    #[must_use]
    pub fn hash(&self) -> String {
        token::hash(&self.0)
    }
}

impl TryFrom<String> for RefreshToken {
    type Error = RefreshTokenError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if token::is_well_formed(PREFIX, &text) {
            Ok(Self(text))
        } else {
            Err(RefreshTokenError)
        }
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// Where a session was opened from, as far as the client says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The `User-Agent` header, cut at 200 characters.
    pub user_agent: Option<String>,
    /// Address of the peer.
    pub ip: Option<String>,
}

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identifies the session.
    pub id: SessionId,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When it was last opened or refreshed.
    pub last_used_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub expires_at: Timestamp,
}
