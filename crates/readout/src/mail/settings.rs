//! Settings of mail, and of the links in it.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use super::{carrier::Carrier, smtp::Smtp, text::Links};
use crate::{Failure, secret::Secret};
use clap::Args;
use lettre::message::Mailbox;
use std::net::SocketAddr;
use url::Url;

/// How mail is sent, and where its links lead.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct MailSettings {
    /// Mail server to hand mail over to: smtps://user:password@host, or
    /// smtp://user:password@host:587?tls=required for STARTTLS; without it no mail is sent, and with
    /// the private PostgreSQL the links are logged instead
    #[arg(
        long,
        global = true,
        env = "SMTP_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    smtp_url: Option<Secret>,

    /// Sender of mail, such as "Readout <readout@example.com>"; required with SMTP_URL
    #[arg(long, global = true, env = "MAIL_FROM", value_name = "MAILBOX")]
    mail_from: Option<Mailbox>,

    /// Where this service is reached from outside, for links [default: http://LISTEN_ADDR]; with
    /// https browsers are told to come back over TLS alone
    #[arg(long, global = true, env = "PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    public_url: Option<String>,

    /// A front end that has pages /verify-email and /reset-password, for links with #token=
    /// [default: the page of the operation below PUBLIC_URL/docs]
    #[arg(long, global = true, env = "APP_URL", value_name = "URL", value_parser = base_url)]
    app_url: Option<String>,
}

impl MailSettings {
    /// The way that mail takes.
    pub(crate) fn carrier(&self, is_private: bool) -> Result<Carrier, Failure> {
        match (&self.smtp_url, &self.mail_from) {
            (Some(url), Some(from)) => {
                let smtp = Smtp::new(url.reveal(), from.clone())?;
                Ok(Carrier::Smtp(Box::new(smtp)))
            }
            (Some(_), None) => Err(
                "MAIL_FROM is required with SMTP_URL, for example: Readout <readout@example.com>"
                    .into(),
            ),
            (None, _) if is_private => Ok(Carrier::Log),
            (None, _) => Ok(Carrier::None),
        }
    }

    /// Whether the service is reached over TLS.
    pub(crate) fn is_https(&self) -> bool {
        let url = self.public_url.as_deref();
        url.is_some_and(|url| url.starts_with("https://"))
    }

    /// Where links lead, for a server that listens here. The host that a client names is never used.
    pub(crate) fn links(&self, listening: SocketAddr) -> Links {
        let host = if listening.ip().is_unspecified() {
            format!("localhost:{}", listening.port())
        } else {
            listening.to_string()
        };
        Links {
            public: self
                .public_url
                .clone()
                .unwrap_or_else(|| format!("http://{host}")),
            app: self.app_url.clone(),
        }
    }
}

/// An absolute URL that paths are appended to, without the slash at its end.
fn base_url(text: &str) -> Result<String, String> {
    let well_formed = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(well_formed);
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| "must be a URL such as https://readout.example.com".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> MailSettings {
        MailSettings {
            smtp_url: None,
            mail_from: None,
            public_url: None,
            app_url: None,
        }
    }

    #[test]
    fn a_base_is_absolute_and_nothing_but_a_place() {
        assert_eq!(
            base_url("https://x.example/a/").as_deref(),
            Ok("https://x.example/a")
        );
        for text in [
            "",
            "x.example",
            "ftp://x.example",
            "http://",
            "http://u:p@x.example",
            "http://x.example?a",
            "http://x.example#a",
            "javascript:alert(1)",
        ] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn links_lead_to_where_we_listen_unless_told_otherwise() {
        let links = |address: &str| settings().links(address.parse().unwrap()).public;
        assert_eq!(links("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(links("0.0.0.0:8080"), "http://localhost:8080");
        assert_eq!(links("[::]:8080"), "http://localhost:8080");
        assert_eq!(links("[::1]:8080"), "http://[::1]:8080");
    }

    #[test]
    fn without_a_server_mail_is_logged_only_where_the_database_is_private() {
        assert!(matches!(settings().carrier(true), Ok(Carrier::Log)));
        assert!(matches!(settings().carrier(false), Ok(Carrier::None)));
    }

    #[tokio::test]
    async fn a_malformed_server_is_refused_without_being_repeated() {
        let with = |url: &str, from: Option<&str>| MailSettings {
            smtp_url: Some(Secret::from(url)),
            mail_from: from.map(|from| from.parse().unwrap()),
            ..settings()
        };
        let from = Some("Readout <readout@example.com>");
        for url in [
            "hunter2",
            "http://u:hunter2@x.example",
            "smtp://u:hunter2@x.example?tls=perhaps",
            "smtp://u:hunter2@",
            "hunter2://x.example",
        ] {
            let message = with(url, from).carrier(false).unwrap_err().to_string();
            assert!(message.contains("SMTP_URL"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        let url = "smtp://u:hunter2@x.example?tls=required";
        assert!(with(url, from).carrier(false).is_ok());
        let message = with(url, None).carrier(false).unwrap_err().to_string();
        assert!(message.contains("MAIL_FROM"), "{message}");
        assert!(!format!("{:?}", with(url, from)).contains("hunter2"));
    }
}
