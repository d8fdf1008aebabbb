//! Sessions: what a sign-in opens, a refresh continues, and a sign-out ends.

use crate::{Timestamp, id::id, token};
use serde::Deserialize;

id!(
    /// Identifies a session; an access token names it as `sid`.
    SessionId
);

/// How long a session lives without being refreshed.
pub const REFRESH_LIFETIME: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// How long a session lives however often it is refreshed (OWASP ASVS 5, 7.3.2).
pub const SESSION_LIFETIME: chrono::TimeDelta = chrono::TimeDelta::days(365);

/// How long after it was exchanged a refresh token is answered once more with its successor, whose first answer may
/// have been lost, as long as nobody has used that.
pub const LOST_ANSWER: chrono::TimeDelta = chrono::TimeDelta::seconds(30);

/// Most sessions that a user has open.
pub const MOST_SESSIONS: i64 = 100;

/// How long an access token proves its session.
pub const ACCESS_LIFETIME: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

const PREFIX: &str = "rrt_";

/// How many characters, prefix included, all tokens of a session have in common: some 125 bits.
const FAMILY: usize = PREFIX.len() + 21;

/// The opaque, single-use token that continues a session. Never printed, never stored.
///
/// All tokens of a session begin alike, so that whoever shows an old one is known to have had one of this family,
/// without any of the old ones being kept. What they begin with is as secret as the rest, which alone has 131 bits.
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

    /// What is stored of what all tokens of its session have in common: SHA-256 in hex.
    #[must_use]
    pub fn family_hash(&self) -> String {
        let family: String = self.0.chars().take(FAMILY).collect();
        token::hash(&family)
    }

    /// The token that comes after this one.
    ///
    /// It is made of this one and of a nonce of 256 random bits that is kept beside the hashes: who shows this one
    /// again can be told the same successor, and who sees what is stored can make neither.
    #[must_use]
    pub fn successor(&self, nonce: &str) -> Self {
        let random = token::digest(&format!("successor {nonce} {}", self.0));
        Self(token::write_akin(&self.0, FAMILY, random))
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

/// Where a session was opened or refreshed from, as far as the client says.
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
    /// What it was opened or refreshed from last.
    pub client: Client,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_of_the_same_family_and_of_nothing_else() {
        let (one, other) = (RefreshToken::new([1; 32]), RefreshToken::new([2; 32]));
        let successor = one.successor("nonce");
        assert!(RefreshToken::try_from(successor.reveal().to_owned()).is_ok());
        assert_eq!(successor, one.successor("nonce"));
        assert_eq!(successor.family_hash(), one.family_hash());
        assert_eq!(
            successor.successor("nonce").family_hash(),
            one.family_hash()
        );
        assert_ne!(one.family_hash(), other.family_hash());
        assert_ne!(successor.hash(), one.hash());
        assert_ne!(successor, one.successor("another"));
        assert_ne!(successor, other.successor("nonce"));
        assert!(!format!("{successor:?}").contains("rrt_"));
    }
}
