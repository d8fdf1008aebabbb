//! Verifications: what a user proves with a token that was mailed to them.

use crate::{Timestamp, password::Password, token};
use chrono::TimeDelta;
use serde::Deserialize;

/// What a mailed token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To show that mail to the address of the account arrives.
    VerifyEmail,
    /// To choose a new password.
    ResetPassword,
}

/// Most tokens for one purpose that a user is mailed within [`LIMIT_WITHIN`].
pub const LIMIT: i64 = 5;

/// An hour.
pub const LIMIT_WITHIN: TimeDelta = TimeDelta::hours(1);

impl Purpose {
    /// The stable word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// How long a token is good from when it was asked for.
    #[must_use]
    pub fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::hours(24),
            Self::ResetPassword => TimeDelta::hours(1),
        }
    }

    /// Tokens that expire later than this were asked for so recently that they count for the
    /// [`LIMIT`].
    #[must_use]
    pub fn counts_from(self, now: Timestamp) -> Timestamp {
        now + self.lifetime() - LIMIT_WITHIN
    }
}

const PREFIX: &str = "rvt_";

/// The opaque token that a mail brings. Never printed, and stored as its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct VerificationToken(String);

/// The text is not a token that this service mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a token that this service mailed")]
pub struct VerificationTokenError;

impl VerificationToken {
    /// Makes a token of 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(token::write(PREFIX, random))
    }

    /// Recognises a token by its form and checksum; blanks around it, as from copying, do not count.
    pub fn parse(text: &str) -> Result<Self, VerificationTokenError> {
        let text = text.trim();
        if token::is_well_formed(PREFIX, text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(VerificationTokenError)
        }
    }

    /// The token as it is mailed.
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

impl std::fmt::Debug for VerificationToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerificationToken(…)")
    }
}

/// A new password, and the token that allows it.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The token that was mailed. Any text is read, and what is no token is as bad as a used one.
    #[schema(format = Password, example = "rvt_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    pub token: String,
    /// The password to sign in with from now on.
    pub new_password: Password,
}

impl std::fmt::Debug for PasswordReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordReset(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_and_does_not_print() {
        let token = VerificationToken::new([7; 32]);
        let again = VerificationToken::parse(&format!(" {}\n", token.reveal())).unwrap();
        assert!(again == token);
        assert_eq!(again.hash(), token.hash());
        assert_eq!(format!("{token:?}"), "VerificationToken(…)");
        let other_kind = token.reveal().replace("rvt_", "rrt_");
        for text in ["", "rvt_", &other_kind, &token.reveal()[1..]] {
            assert!(VerificationToken::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn those_of_the_last_hour_count() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for purpose in [Purpose::VerifyEmail, Purpose::ResetPassword] {
            let asked = |minutes_ago| now - TimeDelta::minutes(minutes_ago) + purpose.lifetime();
            assert!(asked(59) > purpose.counts_from(now));
            assert!(asked(61) < purpose.counts_from(now));
        }
    }
}
