//! Mails that wait to be sent: what they are about, what they hold, and when to try again.

use crate::{
    Timestamp,
    id::id,
    seal::{OpenError, SealError, Sealer},
    user::Email,
    verification::{Purpose, VerificationToken},
};
use chrono::TimeDelta;

id!(
    /// Identifies a mail; it is also part of the mail's `Message-ID`.
    MailId
);

/// What tokens of mails are sealed for.
const SEALED_FOR: &str = "mail token";

/// How long a notice is worth being sent.
const NOTICE_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// How long the first try of a mail is waited after; each further one twice as long.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);

/// The longest pause between two tries.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// Brings a token to verify the address with.
    VerifyEmail,
    /// Brings a token to choose a new password with.
    ResetPassword,
    /// Tells that the password was changed.
    PasswordChanged,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::PasswordChanged,
    ];

    /// The stable word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => Purpose::VerifyEmail.as_str(),
            Self::ResetPassword => Purpose::ResetPassword.as_str(),
            Self::PasswordChanged => "password_changed",
        }
    }

    /// What its token is for, if it brings one.
    #[must_use]
    pub fn purpose(self) -> Option<Purpose> {
        match self {
            Self::VerifyEmail => Some(Purpose::VerifyEmail),
            Self::ResetPassword => Some(Purpose::ResetPassword),
            Self::PasswordChanged => None,
        }
    }

    /// How long after it was asked for it is worth being sent: as long as its token is good.
    #[must_use]
    pub fn lifetime(self) -> TimeDelta {
        self.purpose().map_or(NOTICE_LIFETIME, Purpose::lifetime)
    }
}

impl From<Purpose> for MailKind {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::VerifyEmail => Self::VerifyEmail,
            Purpose::ResetPassword => Self::ResetPassword,
        }
    }
}

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// Identifies it.
    pub id: MailId,
    /// What it is about.
    pub kind: MailKind,
    /// Whom it is for.
    pub to: Email,
    /// Its token, sealed.
    pub sealed_token: Option<Vec<u8>>,
}

impl NewMail {
    /// A mail that brings a token. The token waits sealed, since the mail holds the only copy of it.
    pub fn with_token(
        id: MailId,
        purpose: Purpose,
        to: Email,
        token: &VerificationToken,
        sealer: &Sealer,
        nonce: [u8; crate::seal::NONCE],
    ) -> Result<Self, SealError> {
        let plain = token.reveal().as_bytes();
        let sealed_token = sealer.seal(SEALED_FOR, id.0.as_bytes(), plain, nonce)?;
        Ok(Self {
            id,
            kind: purpose.into(),
            to,
            sealed_token: Some(sealed_token),
        })
    }

    /// Tells that the password was changed.
    #[must_use]
    pub fn password_changed(id: MailId, to: Email) -> Self {
        Self {
            id,
            kind: MailKind::PasswordChanged,
            to,
            sealed_token: None,
        }
    }
}

/// A mail that is about to be sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Identifies it.
    pub id: MailId,
    /// What it is about.
    pub kind: MailKind,
    /// Whom it is for.
    pub to: Email,
    /// Its token, sealed.
    pub sealed_token: Option<Vec<u8>>,
    /// When it was asked for, the last time.
    pub asked_at: Timestamp,
    /// When it is not worth being sent any more.
    pub expires_at: Timestamp,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

impl Mail {
    /// Its token, if it brings one.
    pub fn token(&self, sealer: &Sealer) -> Result<Option<VerificationToken>, OpenError> {
        let Some(sealed_token) = &self.sealed_token else {
            return Ok(None);
        };
        let opened = sealer.open(SEALED_FOR, self.id.0.as_bytes(), sealed_token)?;
        let text = String::from_utf8(opened.plain).map_err(|_| OpenError)?;
        let token = VerificationToken::parse(&text).map_err(|_| OpenError)?;
        Ok(Some(token))
    }

    /// When to try again after a try that failed now.
    #[must_use]
    pub fn retry_at(&self, now: Timestamp) -> Timestamp {
        let doublings = self.attempts.saturating_sub(1).min(16);
        let pause = FIRST_PAUSE * (1_i32 << doublings);
        now + pause.min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn mail(id: u128, sealed_token: Option<Vec<u8>>) -> Mail {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Mail {
            id: MailId(Uuid::from_u128(id)),
            kind: MailKind::ResetPassword,
            to: Email::parse("ada@example.com").unwrap(),
            sealed_token,
            asked_at: now,
            expires_at: now + MailKind::ResetPassword.lifetime(),
            attempts: 1,
        }
    }

    #[test]
    fn a_token_waits_sealed_in_its_own_mail() {
        let sealer = Sealer::new(SECRET, None);
        let token = VerificationToken::new([1; 32]);
        let to = Email::parse("ada@example.com").unwrap();
        let id = MailId(Uuid::from_u128(1));
        let new =
            NewMail::with_token(id, Purpose::ResetPassword, to, &token, &sealer, [2; 24]).unwrap();
        assert!(new.kind == MailKind::ResetPassword);
        assert!(!format!("{new:?}").contains(token.reveal()));
        let opened = mail(1, new.sealed_token.clone()).token(&sealer).unwrap();
        assert!(opened == Some(token));
        assert_eq!(mail(2, new.sealed_token).token(&sealer), Err(OpenError));
        assert_eq!(mail(1, None).token(&sealer), Ok(None));
    }

    #[test]
    fn tries_become_rarer_up_to_a_limit() {
        let mut mail = mail(1, None);
        let now = mail.asked_at;
        let pauses = [1, 2, 3, 8, 9, 1_000].map(|attempts| {
            mail.attempts = attempts;
            (mail.retry_at(now) - now).num_seconds()
        });
        assert_eq!(pauses, [5, 10, 20, 600, 600, 600]);
    }
}
