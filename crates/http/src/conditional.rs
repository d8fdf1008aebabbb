//! Answers that a client need not be sent again (RFC 9110, section 13).

use crate::problem::{Problem, ProblemKind};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, EntityTag, Header, IfNoneMatch},
    web::Bytes,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What a client has already.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header in the document")]
pub(crate) struct KnownTag {
    /// The `ETag` of an answer that the client has; where it has not changed, the answer is 304.
    #[param(rename = "If-None-Match", value_type = Option<String>)]
    if_none_match: Option<String>,
}

/// A JSON answer with its strong tag, cheap to clone.
///
/// The tag is a hash of the answer, so it is never the same for another one.
#[derive(Debug, Clone)]
pub(crate) struct Tagged {
    body: Bytes,
    tag: EntityTag,
}

impl Tagged {
    /// Writes the answer.
    pub(crate) fn new(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
        let hash = Sha256::digest(&body);
        let tag = u128::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 16]));
        Ok(Self {
            body: body.into(),
            tag: EntityTag::new_strong(format!("{tag:032x}")),
        })
    }

    /// Sends it, or 304 where the client has the same already.
    pub(crate) fn answer(self, request: &HttpRequest) -> HttpResponse {
        let Self { body, tag } = self;
        let is_known = knows(request, &tag);
        let mut response = if is_known {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        response
            .insert_header(header::ETag(tag))
            .insert_header((header::CACHE_CONTROL, "private, no-cache"))
            .insert_header((header::VARY, "Authorization"));
        if is_known {
            response.finish()
        } else {
            response.content_type("application/json").body(body)
        }
    }

    #[cfg(test)]
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Whether the client names this tag, or any. A proxy may have made it a weak one.
fn knows(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key(header::IF_NONE_MATCH),
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn ask(header: Option<&str>) -> (u16, String) {
        let mut request = TestRequest::default();
        if let Some(header) = header {
            request = request.insert_header((header::IF_NONE_MATCH, header));
        }
        let tagged = Tagged::new(&[1, 2, 3]).unwrap();
        let response = tagged.answer(&request.to_http_request());
        let tag = response.headers().get(header::ETAG).unwrap();
        (response.status().as_u16(), tag.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let (status, tag) = ask(None);
        assert_eq!((status, tag.len()), (200, 34));
        for header in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"other\", {tag}"),
            "*".to_owned(),
        ] {
            assert_eq!(ask(Some(&header)), (304, tag.clone()), "{header}");
        }
        for header in ["\"other\"", "nonsense", "", "\""] {
            assert_eq!(ask(Some(header)).0, 200, "{header}");
        }
    }
}
