//! What a request says of its body: media type and content coding.

use crate::problem::{Problem, ProblemKind};
use actix_web::{
    HttpRequest,
    http::{Method, header},
};

/// How a body is packed (RFC 9110, section 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952, in one member or several.
    Gzip,
    /// RFC 8878, with a window of at most 8 MiB (RFC 9659).
    Zstd,
}

impl Coding {
    /// What `Content-Encoding` and `Accept-Encoding` call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of a request; 415 for one that is not known, and for several on one another.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let coding = joined(request, &header::CONTENT_ENCODING);
        match coding.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Problem::with_detail(
                ProblemKind::UnsupportedMediaType,
                "Content-Encoding must be gzip, zstd or identity, and only one of them.",
            )),
        }
    }
}

/// The media type of a body in lower case, without parameters such as `charset`.
pub(crate) fn media_type(request: &HttpRequest) -> String {
    let whole = joined(request, &header::CONTENT_TYPE);
    let media_type = whole.split(';').next().unwrap_or_default();
    media_type.trim_ascii().to_owned()
}

/// Refuses a body that is not said to be JSON in plain.
pub(super) fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    let media_type = media_type(request);
    let merge_patch = request.method() == "PATCH" && media_type == "application/merge-patch+json";
    if media_type != "application/json" && !merge_patch {
        let detail = "The body must be application/merge-patch+json or application/json.";
        let kind = ProblemKind::UnsupportedMediaType;
        return Err(match *request.method() {
            Method::PATCH => Problem::with_detail(kind, detail),
            _ => Problem::new(kind),
        });
    }
    require_plain(request)
}

/// Refuses a body that is packed.
pub(crate) fn require_plain(request: &HttpRequest) -> Result<(), Problem> {
    match joined(request, &header::CONTENT_ENCODING).as_str() {
        "" | "identity" => Ok(()),
        _ => Err(Problem::with_detail(
            ProblemKind::UnsupportedMediaType,
            "The body must not be compressed: Content-Encoding is not supported here.",
        )),
    }
}

/// A header in lower case; one that is there several times is a list (RFC 9110, section 5.3).
fn joined(request: &HttpRequest, name: &header::HeaderName) -> String {
    let values = request.headers().get_all(name);
    let values: Vec<_> = values
        .map(|value| value.to_str().unwrap_or("?").trim_ascii())
        .collect();
    values.join(", ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn coding(values: &[&str]) -> Option<Coding> {
        let mut request = TestRequest::post();
        for value in values {
            request = request.append_header((header::CONTENT_ENCODING, *value));
        }
        Coding::of(&request.to_http_request()).ok()
    }

    #[test]
    fn one_coding_is_taken_in_any_case() {
        assert_eq!(coding(&[]), Some(Coding::Identity));
        for (value, expected) in [
            ("", Coding::Identity),
            ("Identity", Coding::Identity),
            ("GZip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            (" zstd ", Coding::Zstd),
        ] {
            assert_eq!(coding(&[value]), Some(expected), "{value}");
        }
        for value in [
            "br",
            "deflate",
            "gzip, gzip",
            "gzip,",
            "zstd, identity",
            "\u{e9}",
        ] {
            assert_eq!(coding(&[value]), None, "{value}");
        }
        assert_eq!(coding(&["gzip", "gzip"]), None);
    }

    #[test]
    fn parameters_do_not_count() {
        for (value, expected) in [
            ("Application/JSON; charset=utf-8", "application/json"),
            ("application/json;", "application/json"),
            (
                "application/json, text/plain",
                "application/json, text/plain",
            ),
            ("", ""),
        ] {
            let request = TestRequest::post().insert_header((header::CONTENT_TYPE, value));
            assert_eq!(media_type(&request.to_http_request()), expected);
        }
    }
}
