//! Which web pages may use the API from a browser (Fetch standard, section 3.3).
//!
//! No credential of the API is one that a browser adds by itself, so a page can do with it only what it has a token
//! for, and `Access-Control-Allow-Credentials` is never needed.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use std::sync::Arc;

/// What a page may send beyond what any page may.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Content-Encoding, X-Device-Key, Idempotency-Key, If-Match, If-None-Match, \
     X-Request-Id",
);

/// What a page may read of an answer beyond what any page may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, Idempotency-Replayed, \
     Content-Disposition, Deprecation, Sunset, Allow, WWW-Authenticate",
);

/// Seconds for which a browser need not ask again; no browser keeps it for longer than two hours or a day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may use the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CorsOrigins {
    /// None but that of the service itself.
    #[default]
    None,
    /// All.
    Any,
    /// These, as browsers write them.
    These(Arc<[String]>),
}

/// The text is no list of origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be * or origins with commas between them, each as a browser sends it: http or https, the host in lower case \
     and the port unless it is the usual one, such as https://app.example.com or http://localhost:3000, and not {0:?}"
)]
pub struct CorsOriginsError(String);

impl CorsOrigins {
    /// Reads a list such as `https://app.example.com, http://localhost:3000`, or `*`; an empty text allows none.
    pub fn parse(text: &str) -> Result<Self, CorsOriginsError> {
        match text.trim() {
            "" => return Ok(Self::None),
            "*" => return Ok(Self::Any),
            _ => {}
        }
        let origin = |text: &str| {
            let text = text.trim();
            is_origin(text)
                .then(|| text.to_owned())
                .ok_or_else(|| CorsOriginsError(text.to_owned()))
        };
        let origins = text.split(',').map(origin).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::These(origins.into()))
    }

    /// What the origin of a request is told, if it may use the API.
    ///
    /// Where all may, everybody is told so, with an origin or without: a cache may keep the answer for others.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::These(origins) => {
                let origin = origin?;
                let known = origins.iter().any(|it| it.as_bytes() == origin.as_bytes());
                known.then(|| origin.clone())
            }
        }
    }

    /// Adds what a browser has to see before it shows an answer to a page.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        if let Self::These(_) = self {
            // Also of an answer to somebody else, which a cache may keep.
            response.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.allowed(origin) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// Answers a browser that asks beforehand whether a page may use one of these methods.
    pub(crate) fn preflight(&self, request: &HeaderMap, methods: &str, response: &mut HeaderMap) {
        let is_asked = request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_asked || self.allowed(request.get(ORIGIN)).is_none() {
            return;
        }
        if let Ok(methods) = HeaderValue::from_str(methods) {
            response.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        response.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
        response.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}

/// Whether the text is an origin as browsers write it (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (rest, None),
    };
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return false,
    };
    let is_port = |port: &str| {
        let number = port.parse::<u16>().is_ok_and(|number| number > 0);
        number && port != usual && !port.starts_with(['0', '+'])
    };
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let is_name = !host.is_empty() && host.bytes().all(allowed);
    let address = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_address = address.is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok());
    (is_name || is_address) && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(origins: &str, origin: &str) -> Option<String> {
        let (origin, mut headers) = (HeaderValue::from_str(origin).unwrap(), HeaderMap::new());
        let origins = CorsOrigins::parse(origins).unwrap();
        origins.mark(Some(&origin), &mut headers);
        assert_eq!(
            headers.contains_key(VARY),
            matches!(origins, CorsOrigins::These(_))
        );
        let value = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_origins_of_the_list_are_told_that_they_may() {
        let list = "https://app.example.com, http://localhost:3000";
        for (origins, origin, is_let) in [
            ("", "https://app.example.com", false),
            (list, "https://app.example.com", true),
            (list, "http://localhost:3000", true),
            (list, "http://localhost:3001", false),
            (list, "https://app.example.com.evil.example", false),
            (list, "http://app.example.com", false),
            (list, "null", false),
            (list, "", false),
        ] {
            let expected = is_let.then(|| origin.to_owned());
            assert_eq!(told(origins, origin), expected, "{origins} {origin}");
        }
        assert_eq!(told("*", "https://x.example").as_deref(), Some("*"));
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for text in [
            "http://[::1]:3000",
            "https://a-b.example",
            "http://localhost:65535",
        ] {
            assert!(CorsOrigins::parse(text).is_ok(), "{text}");
        }
        for text in [
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://app.example.com:443",
            "http://localhost:80",
            "http://localhost:0",
            "http://localhost:99999",
            "ftp://example.com",
            "https://*.example.com",
            "https://",
            "null",
            "*, https://app.example.com",
            "https://a.example,",
            "https://user@a.example",
        ] {
            assert!(CorsOrigins::parse(text).is_err(), "{text}");
        }
    }
}
