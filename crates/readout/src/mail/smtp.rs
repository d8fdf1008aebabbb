//! Mail over SMTP.

use super::{carrier::Outcome, text::Letter};
use crate::Failure;
use domain::{mail::Mail, rejection::tidy, verification::VerificationToken};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp,
};
use std::time::Duration;
use url::{Host, Url};

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long handing over one mail may take, all in all. The library bounds only the connecting.
const SEND_WITHIN: Duration = Duration::from_secs(20);

/// Answers of a server that will be the same tomorrow: this mailbox, or this mail, it does not take
/// (RFC 5321, section 4.2.3). Other failures may be ours, such as a wrong password.
const FOR_GOOD: [u16; 5] = [501, 550, 551, 552, 553];

/// A mail server, asked over a new connection for each mail.
#[derive(Clone)]
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// A server by its URL, which may hold a password and is never repeated.
    pub(crate) fn new(url: &str, from: Mailbox) -> Result<Self, Failure> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| {
            "SMTP_URL must be smtps://user:password@host, or \
             smtp://user:password@host:587?tls=required"
        })?;
        if is_open_to_listeners(url) {
            tracing::warn!(
                "SMTP_URL sends mail without TLS to another host: whoever listens in can use its tokens"
            );
        }
        let transport = builder.timeout(Some(CONNECT_WITHIN)).build();
        Ok(Self { transport, from })
    }

    /// Hands a mail over to the server.
    pub(crate) async fn send(&self, mail: &Mail, letter: Letter) -> Outcome {
        let (id, token) = (mail.id, letter.token.clone());
        let message = match self.message(mail, letter) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(mail = %id, %error, "a mail cannot be written");
                return Outcome::Refused;
            }
        };
        match tokio::time::timeout(SEND_WITHIN, self.transport.send(message)).await {
            Ok(Ok(_)) => Outcome::Sent,
            Ok(Err(error)) => {
                let status = error.status().map(u16::from);
                tracing::warn!(mail = %id, status, error = words(&error, token.as_ref()), "a mail was not taken");
                if status.is_some_and(|status| FOR_GOOD.contains(&status)) {
                    Outcome::Refused
                } else {
                    Outcome::Failed
                }
            }
            Err(_) => {
                tracing::warn!(mail = %id, "the mail server took too long");
                Outcome::Failed
            }
        }
    }

    /// The mail in the form of RFC 5322. Its identifier is ours, so that a mail which is sent twice,
    /// because the server's answer was lost, can be told to be the same; one that was asked for again is another.
    fn message(&self, mail: &Mail, letter: Letter) -> Result<Message, Failure> {
        let to: Address = mail.to.as_str().parse()?;
        let (asked_at, domain) = (mail.asked_at.timestamp_micros(), self.from.email.domain());
        let auto = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .message_id(Some(format!("<{}.{asked_at}@{domain}>", mail.id)))
            .raw_header(auto)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body)?;
        Ok(message)
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// What went wrong, for the log. A server may quote the mail in its answer: not even a part of a token gets through.
fn words(error: &smtp::Error, token: Option<&VerificationToken>) -> String {
    let text = error.to_string();
    if token.is_some_and(|token| shares_a_part(&text, token.reveal())) {
        return "its answer quotes the mail".to_owned();
    }
    tidy(&text, 300)
}

/// Whether a text has any eight characters in a row of a secret, of which all but the first four are random.
fn shares_a_part(text: &str, secret: &str) -> bool {
    let (text, secret) = (text.as_bytes(), secret.as_bytes());
    let parts = secret.windows(8);
    parts
        .into_iter()
        .any(|part| text.windows(8).any(|it| it == part))
}

/// Whether mail goes in clear to somewhere else than this machine.
fn is_open_to_listeners(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let is_local = match url.host() {
        // Of schemes that it does not know the library takes addresses for names.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "smtp" && !is_local && !url.query_pairs().any(|(name, _)| name == "tls")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        mail::{MailId, MailKind},
        user::Email,
    };

    fn mail(to: &str) -> Mail {
        let asked_at = "2026-01-01T00:00:00Z".parse().unwrap();
        Mail {
            id: MailId(uuid::Uuid::from_u128(7)),
            kind: MailKind::PasswordChanged,
            to: Email::parse(to).unwrap(),
            sealed_token: None,
            asked_at,
            expires_at: asked_at,
            attempts: 1,
        }
    }

    fn letter() -> Letter {
        Letter {
            subject: "Reset your password",
            body: "One line.\nBcc: all@example.com\n".to_owned(),
            link: None,
            token: None,
        }
    }

    fn smtp() -> Smtp {
        let from = "Readout <readout@example.com>".parse().unwrap();
        Smtp::new("smtp://localhost:25", from).unwrap()
    }

    #[tokio::test]
    async fn a_mail_says_whose_it_is_and_that_a_machine_wrote_it() {
        let message = smtp().message(&mail("ada@example.com"), letter()).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        for line in [
            "From: Readout <readout@example.com>",
            "To: ada@example.com",
            "Subject: Reset your password",
            "Message-ID: <00000000-0000-0000-0000-000000000007.1767225600000000@example.com>",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("Bcc"), "{head}");
        assert_eq!(body, "One line.\r\nBcc: all@example.com\r\n");
    }

    #[tokio::test]
    async fn an_address_can_add_neither_headers_nor_recipients() {
        for to in [
            "ada@example.com,eve@example.org",
            "ada>@example.com",
            "<ada@example.com",
            "a;b@example.com",
            "ada@example.com>",
        ] {
            let Ok(to) = Email::parse(to) else { continue };
            let mail = Mail {
                to,
                ..mail("ada@example.com")
            };
            if let Ok(message) = smtp().message(&mail, letter()) {
                let envelope: Vec<String> = message
                    .envelope()
                    .to()
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                assert_eq!(envelope, [mail.to.as_str()]);
            }
        }
    }

    #[test]
    fn a_part_of_a_token_is_found_wherever_it_was_cut() {
        let token = VerificationToken::new([1; 32]);
        let token = token.reveal();
        for text in [
            format!("554 <{token}>"),
            token[..8].to_owned(),
            format!("x{}", &token[45..]),
        ] {
            assert!(shares_a_part(&text, token), "{text}");
        }
        for text in ["", "554 no such thing", &token[..7]] {
            assert!(!shares_a_part(text, token), "{text}");
        }
    }

    #[test]
    fn mail_in_clear_is_told_where_it_leaves_the_machine() {
        for (url, is_open) in [
            ("smtp://mail.example", true),
            ("smtp://10.0.0.1:25", true),
            ("smtp://mail.example:587?tls=required", false),
            ("smtps://mail.example", false),
            ("smtp://localhost:25", false),
            ("smtp://127.0.0.1:25", false),
            ("smtp://[::1]:25", false),
        ] {
            assert_eq!(is_open_to_listeners(url), is_open, "{url}");
        }
    }
}
