//! What mails say. Nothing in them was written by anyone but us and the one who runs the service:
//! not even the user's name, which would let strangers send their words in our mails.

use domain::{
    Timestamp,
    mail::{Mail, MailKind},
    verification::{Purpose, VerificationToken},
};

/// Where links lead.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// This service, from outside.
    pub(crate) public: String,
    /// A front end, if there is one.
    pub(crate) app: Option<String>,
}

/// A mail as it is read.
pub(crate) struct Letter {
    pub(crate) subject: &'static str,
    pub(crate) body: String,
    /// What to open, where there is something to do.
    pub(crate) link: Option<String>,
    /// The token that it brings.
    pub(crate) token: Option<VerificationToken>,
}

impl Links {
    /// The page on which a token is used: that of the front end, or else that of Swagger UI.
    fn page(&self, purpose: Purpose, token: &VerificationToken) -> String {
        let (page, operation) = match purpose {
            Purpose::VerifyEmail => ("verify-email", "verification_verify_email"),
            Purpose::ResetPassword => ("reset-password", "verification_reset_password"),
        };
        match &self.app {
            // What comes after # goes to no server, and so into no log on the way.
            Some(app) => format!("{app}/{page}#token={}", token.reveal()),
            None => format!("{}/docs/#/auth/{operation}", self.public),
        }
    }

    /// Writes a mail.
    pub(crate) fn letter(&self, mail: &Mail, token: Option<&VerificationToken>) -> Letter {
        let (subject, why) = match mail.kind {
            MailKind::VerifyEmail => (
                "Verify your e-mail address",
                "Someone, most likely you, signed up with Readout with this address. Verify that it is yours:",
            ),
            MailKind::ResetPassword => (
                "Reset your password",
                "Someone, most likely you, asked to reset the password of your account with Readout. Choose a new one:",
            ),
            MailKind::PasswordChanged => (
                "Your password was changed",
                "The password of your account with Readout was changed",
            ),
        };
        match (mail.kind.purpose(), token) {
            (Some(purpose), Some(token)) => {
                let link = self.page(purpose, token);
                let body = format!("{why}\n\n{link}\n\n{}", self.by_hand(purpose, token, mail));
                Letter {
                    subject,
                    body,
                    link: Some(link),
                    token: Some(token.clone()),
                }
            }
            (Some(_), None) | (None, _) => Letter {
                subject,
                body: format!(
                    "{why} at {}.\n\n\
                     If that was not you, reset it now: whoever did it is signed out, and API keys end.\n\
                     POST {}/api/v1/auth/request-password-reset with {{\"email\": \"{}\"}}\n",
                    minute(mail.asked_at),
                    self.public,
                    mail.to.as_str(),
                ),
                link: None,
                token: None,
            },
        }
    }

    fn by_hand(&self, purpose: Purpose, token: &VerificationToken, mail: &Mail) -> String {
        let (path, more) = match purpose {
            Purpose::VerifyEmail => ("verify-email", ""),
            Purpose::ResetPassword => ("reset-password", ", \"new_password\": \"...\""),
        };
        format!(
            "Or use the token with the API:\n\n{token}\n\n\
             POST {api}/api/v1/auth/{path} with {{\"token\": \"...\"{more}}}\n\n\
             The token is good until {until}. If it was not you who asked, do nothing: without the \
             token nothing changes.\n",
            token = token.reveal(),
            api = self.public,
            until = minute(mail.expires_at),
        )
    }
}

/// A time for people, to the minute.
fn minute(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{mail::MailId, user::Email};

    fn mail(kind: MailKind) -> Mail {
        let asked_at = "2026-01-01T00:00:30Z".parse().unwrap();
        Mail {
            id: MailId(uuid::Uuid::nil()),
            kind,
            to: Email::parse("ada@example.com").unwrap(),
            sealed_token: None,
            asked_at,
            expires_at: asked_at + kind.lifetime(),
            attempts: 1,
        }
    }

    #[test]
    fn a_token_comes_as_a_link_and_bare() {
        let token = VerificationToken::new([1; 32]);
        let mut links = Links {
            public: "https://readout.example".to_owned(),
            app: None,
        };
        let letter = links.letter(&mail(MailKind::ResetPassword), Some(&token));
        let bare = token.reveal();
        let docs = "https://readout.example/docs/#/auth/verification_reset_password";
        assert_eq!(letter.link.as_deref(), Some(docs));
        assert!(letter.body.contains(docs));
        assert!(letter.body.contains(&format!("\n\n{bare}\n\n")));
        assert!(letter.body.contains("2026-01-01 01:00 UTC"));
        assert!(
            letter
                .body
                .contains("POST https://readout.example/api/v1/auth/reset-password")
        );

        links.app = Some("https://app.example".to_owned());
        let letter = links.letter(&mail(MailKind::VerifyEmail), Some(&token));
        let page = format!("https://app.example/verify-email#token={bare}");
        assert_eq!(letter.link, Some(page));
        assert!(letter.body.contains("2026-01-02 00:00 UTC"));
    }

    #[test]
    fn a_notice_has_no_link_and_every_line_is_short_plain_ascii() {
        let token = VerificationToken::new([1; 32]);
        let links = Links {
            public: "https://readout.example".to_owned(),
            app: None,
        };
        let letter = links.letter(&mail(MailKind::PasswordChanged), None);
        assert!(letter.link.is_none());
        assert!(letter.body.contains("at 2026-01-01 00:00 UTC"));
        for kind in MailKind::ALL {
            let letter = links.letter(&mail(kind), Some(&token));
            assert!(letter.body.is_ascii(), "{}", letter.body);
            assert!(letter.body.lines().all(|line| line.len() < 200));
        }
    }
}
