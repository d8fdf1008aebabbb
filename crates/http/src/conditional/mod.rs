//! Answers that a client need not be sent again, and edits of what it has seen (RFC 9110, section 13).
//!
//! A tag is strong: it changes with every byte of the answer. That of a thing which is edited begins with its version,
//! and edits are compared by that part alone, since readings move a device's status all the time and are no reason to
//! refuse an edit of its settings.

mod document;
mod precondition;
mod tag;

pub(crate) use document::describe;
pub(crate) use precondition::{KnownVersion, Precondition};

use crate::{
    compress,
    problem::{Problem, ProblemKind},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ETag, EntityTag, HeaderMap, TryIntoHeaderValue},
    web::Bytes,
};
use serde::Serialize;
use tag::Tags;

/// A JSON answer and what makes its tag, cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tagged {
    body: Bytes,
    version: Option<i32>,
    hash: u128,
}

impl Tagged {
    /// Writes the answer.
    pub(crate) fn new(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
        Ok(Self {
            hash: tag::hash(&body),
            body: body.into(),
            version: None,
        })
    }

    /// Sends it with a strong `ETag`, or 304 where the client has the same already.
    pub(crate) fn answer(self, request: &HttpRequest) -> HttpResponse {
        let headers = ("private, no-cache", "Authorization, Accept-Encoding");
        self.send(request, headers)
    }

    /// The same of what is the same for everybody, and may be kept by caches that do not know who asks.
    pub(crate) fn public(self, request: &HttpRequest, cache: &'static str) -> HttpResponse {
        self.send(request, (cache, "Accept-Encoding"))
    }

    #[cfg(test)]
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Answers JSON with a strong `ETag`, or 304 where the client has the same already.
pub(crate) fn json(request: &HttpRequest, body: &impl Serialize) -> HttpResponse {
    match Tagged::new(body) {
        Ok(tagged) => tagged.answer(request),
        Err(problem) => HttpResponse::from_error(problem),
    }
}

/// The same for a thing of this version.
pub(crate) fn versioned(
    request: &HttpRequest,
    version: i32,
    body: &impl Serialize,
) -> HttpResponse {
    match Tagged::new(body) {
        Ok(tagged) => {
            let version = Some(version);
            Tagged { version, ..tagged }.answer(request)
        }
        Err(problem) => HttpResponse::from_error(problem),
    }
}

/// Adds the tag of a thing to an answer that made or changed it: the one that it has when it is asked for.
/// For a client that takes the same codings then.
pub(crate) fn mark(
    response: &mut HttpResponse,
    asked: &HeaderMap,
    version: i32,
    view: &impl Serialize,
) {
    if let Ok(tagged) = Tagged::new(view) {
        let coding = compress::coding(asked, tagged.body.len());
        let tag = tag::of(Some(version), tagged.hash, coding);
        if let Ok(value) = tag.try_into_value() {
            response.headers_mut().insert(header::ETAG, value);
        }
    }
}

impl Tagged {
    fn send(
        self,
        request: &HttpRequest,
        (cache, vary): (&'static str, &'static str),
    ) -> HttpResponse {
        let coding = compress::coding(request.headers(), self.body.len());
        let tag = tag::of(self.version, self.hash, coding);
        if !is_expected(request, &tag) {
            return HttpResponse::from_error(Problem::new(ProblemKind::PreconditionFailed));
        }
        let is_known = knows(request, &tag);
        let mut response = if is_known {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        response
            .insert_header(ETag(tag))
            .insert_header((header::CACHE_CONTROL, cache))
            .insert_header((header::VARY, vary));
        if is_known {
            return response.finish();
        }
        let mut response = response.content_type("application/json").body(self.body);
        compress::mark(&mut response, coding);
        response
    }
}

/// Whether the answer is one that the client asks for with `If-Match`, if it does. A field that cannot be read names
/// no tag.
fn is_expected(request: &HttpRequest, tag: &EntityTag) -> bool {
    match Tags::read(request.headers(), header::IF_MATCH) {
        Ok(None | Some(Tags::Any)) => true,
        Ok(Some(Tags::Some(tags))) => tags.iter().any(|it| it.strong_eq(tag)),
        Err(tag::Unreadable) => false,
    }
}

/// Whether the client names this tag, or any. A proxy may have made it a weak one.
fn knows(request: &HttpRequest, tag: &EntityTag) -> bool {
    match Tags::read(request.headers(), header::IF_NONE_MATCH) {
        Ok(Some(Tags::Any)) => true,
        Ok(Some(Tags::Some(tags))) => tags.iter().any(|it| it.weak_eq(tag)),
        Ok(None) | Err(tag::Unreadable) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn ask(headers: &[(header::HeaderName, &str)]) -> (u16, String) {
        let request = headers
            .iter()
            .fold(TestRequest::default(), |request, (name, value)| {
                request.append_header((name.clone(), *value))
            });
        let response = versioned(&request.to_http_request(), 3, &[1, 2, 3]);
        let tag = response.headers().get(header::ETAG);
        let tag = tag.map_or("", |tag| tag.to_str().unwrap());
        (response.status().as_u16(), tag.to_owned())
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let (status, tag) = ask(&[]);
        assert_eq!((status, tag.len()), (200, 36));
        for value in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"other\", {tag}"),
            "*".to_owned(),
        ] {
            let answer = ask(&[(header::IF_NONE_MATCH, &value)]);
            assert_eq!(answer, (304, tag.clone()), "{value}");
        }
        for value in ["\"other\"", "nonsense", "", "\"", "\"3\""] {
            assert_eq!(ask(&[(header::IF_NONE_MATCH, value)]).0, 200, "{value}");
        }
    }

    #[test]
    fn an_answer_that_is_asked_for_by_its_tag_is_that_or_none() {
        let (_, tag) = ask(&[]);
        let weak = format!("W/{tag}");
        for (value, status) in [
            (tag.as_str(), 200),
            ("*", 200),
            (weak.as_str(), 412),
            ("\"other\"", 412),
            ("nonsense", 412),
        ] {
            assert_eq!(ask(&[(header::IF_MATCH, value)]).0, status, "{value}");
        }
        let both = [(header::IF_MATCH, "*"), (header::IF_NONE_MATCH, &tag)];
        assert_eq!(ask(&both).0, 304);
    }
}
