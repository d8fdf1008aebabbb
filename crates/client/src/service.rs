//! Where Readout runs, and who asks: the options and variables that the tools have in common.

use crate::{
    failure::Failure,
    secret::{self, Secret},
};
use clap::Args;
use hyper::Uri;

/// Said in the help of tools that act as a user.
pub(crate) const CREDENTIALS: &str = "\
Credentials, from the environment alone, so that nobody can list them with `ps`:
  READOUT_TOKEN                     an access token, sent as Authorization: Bearer
  READOUT_API_KEY                   an API key, sent likewise
  READOUT_EMAIL, READOUT_PASSWORD   sign in with these, and again when the token has expired";

/// Where Readout runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Service {
    /// Where Readout runs, without a path
    #[arg(
        long,
        env = "READOUT_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        value_parser = parse_url
    )]
    pub(crate) url: Url,
}

/// `http://host:port` or `https://host:port`, maybe with the path of a proxy in between, without a slash at its end.
#[derive(Debug, Clone)]
pub(crate) struct Url {
    pub(crate) text: String,
    pub(crate) is_https: bool,
}

fn parse_url(text: &str) -> Result<Url, String> {
    let text = text.trim().trim_end_matches('/');
    let wanted =
        "must be a URL such as http://127.0.0.1:8080, without credentials, query or fragment";
    let uri: Uri = text.parse().map_err(|_| wanted)?;
    let is_https = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        Some(_) | None => return Err(wanted.to_owned()),
    };
    let is_plain = uri.authority().is_some_and(|it| !it.as_str().contains('@'))
        && uri.query().is_none()
        && !text.contains('#');
    if !is_plain {
        return Err(wanted.to_owned());
    }
    let text = text.trim_end_matches("/api/v1").to_owned();
    Ok(Url { text, is_https })
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    /// An access token or an API key.
    pub(crate) bearer: Option<Secret>,
    /// What to sign in with.
    pub(crate) login: Option<Login>,
}

/// An address and its password.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) email: String,
    pub(crate) password: Secret,
}

impl Credentials {
    /// Those of the environment; none if there are none.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        let bearer = match secret::token("READOUT_TOKEN")? {
            Some(token) => Some(token),
            None => secret::token("READOUT_API_KEY")?,
        };
        let email = secret::variable("READOUT_EMAIL")?;
        let password = secret::variable("READOUT_PASSWORD")?;
        let login = match (email, password) {
            (Some(email), Some(password)) => Some(Login {
                email,
                password: password.into(),
            }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Failure::other(
                    "READOUT_EMAIL is set, and READOUT_PASSWORD is not",
                ));
            }
            (None, Some(_)) => {
                return Err(Failure::other(
                    "READOUT_PASSWORD is set, and READOUT_EMAIL is not",
                ));
            }
        };
        let is_none = bearer.is_none() && login.is_none();
        Ok((!is_none).then_some(Self { bearer, login }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_with_and_without_what_follows_the_host() {
        for (text, kept) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://x.example/api/v1/", "https://x.example"),
            ("https://x.example/readout", "https://x.example/readout"),
        ] {
            assert_eq!(parse_url(text).unwrap().text, kept);
        }
        for text in [
            "",
            "127.0.0.1:8080",
            "ftp://x",
            "http://",
            "http://a:b@x",
            "http://x/?q=1",
            "http://x/#f",
        ] {
            assert!(parse_url(text).is_err(), "{text}");
        }
    }
}
