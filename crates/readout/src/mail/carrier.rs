//! The way that mail takes.

use super::{smtp::Smtp, text::Letter};
use domain::{mail::Mail, verification::VerificationToken};

/// The way that mail takes.
#[derive(Debug, Clone)]
pub(crate) enum Carrier {
    /// Over a mail server.
    Smtp(Box<Smtp>),
    /// Into the log: for trying out, where the database is our own and nothing leaves the machine.
    Log,
    /// None: mail waits for an instance that has one, until it is not worth being sent any more.
    None,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has it.
    Sent,
    /// The server did not take it this time.
    Failed,
    /// The server will never take it.
    Refused,
}

impl Outcome {
    /// The word for figures.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl Carrier {
    /// Sends a mail; takes bounded time.
    pub(crate) async fn send(&self, mail: &Mail, letter: Letter) -> Outcome {
        match self {
            Self::Smtp(smtp) => smtp.send(mail, letter).await,
            Self::Log => {
                tracing::info!(
                    to = mail.to.as_str(),
                    subject = letter.subject,
                    link = letter.link,
                    token = letter.token.as_ref().map(VerificationToken::reveal),
                    "a mail, which is only logged since SMTP_URL is not set"
                );
                Outcome::Sent
            }
            Self::None => Outcome::Failed,
        }
    }

    /// In a line, for the one who starts the program.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Smtp(_) => "sent by the server of SMTP_URL",
            Self::Log => "not sent: its links and tokens are logged here (set SMTP_URL to send it)",
            Self::None => "not sent (set SMTP_URL to send it)",
        }
    }

    /// Says in the log what follows from how mail is sent.
    pub(crate) fn announce(&self) {
        match self {
            Self::Smtp(_) => tracing::info!("mail is sent by the server of SMTP_URL"),
            Self::Log => tracing::warn!(
                "SMTP_URL is not set: mail is not sent, and its links and tokens, which are secrets, are logged here; \
                 for trying out only"
            ),
            Self::None => tracing::warn!(
                "SMTP_URL is not set: no mail is sent here, so nobody can reset a password or verify an address"
            ),
        }
    }
}
