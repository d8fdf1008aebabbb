//! What an edit says of the thing that it is meant for: `If-Match`, and `If-None-Match`.

use super::tag::{self, Tags};
use crate::problem::{FieldError, Problem, ProblemKind};
use actix_web::{
    FromRequest, HttpRequest, dev,
    http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use domain::version::Expected;
use std::future::{Ready, ready};

/// For which versions an edit is meant.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header in the document")]
pub(crate) struct KnownVersion {
    /// The `ETag` of what the client has seen, or its `version` in quotes; where it has changed, the answer is 412
    /// and nothing is done.
    #[param(
        rename = "If-Match",
        nullable = false,
        pattern = "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$"
    )]
    if_match: Option<String>,
}

/// What the headers of an edit say of the version that it is meant for.
#[derive(Debug)]
pub(crate) struct Precondition {
    is_given: bool,
    expected: Expected,
}

impl Precondition {
    /// For which versions the edit is meant.
    pub(crate) fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The same for an edit that takes away what its author may never have seen: it has to say what was seen.
    pub(crate) fn required(&self) -> Result<&Expected, Problem> {
        if self.is_given {
            return Ok(&self.expected);
        }
        let detail = "This removes whatever is there, also what was added since you looked: send the ETag of what you \
                      have seen as If-Match, or If-Match: * if you mean it.";
        let error =
            FieldError::at_parameter("If-Match", "missing_parameter", "is missing".to_owned());
        Err(Problem::with_detail(ProblemKind::PreconditionRequired, detail).and(error))
    }

    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let (only, never) = (
            versions(headers, IF_MATCH)?,
            versions(headers, IF_NONE_MATCH)?,
        );
        let is_given = only.is_some();
        let expected = match (only.unwrap_or(Versions::Any), never) {
            (Versions::Any, None) => Expected::Any,
            (Versions::Any, Some(Versions::Some { all, .. })) => Expected::NoneOf(all),
            // There is a thing, and `If-None-Match: *` wants none.
            (_, Some(Versions::Any)) => Expected::OneOf(Vec::new()),
            (Versions::Some { strong, .. }, None) => Expected::OneOf(strong),
            (Versions::Some { mut strong, .. }, Some(Versions::Some { all, .. })) => {
                strong.retain(|version| !all.contains(version));
                Expected::OneOf(strong)
            }
        };
        Ok(Self { is_given, expected })
    }
}

/// The versions that a field names.
enum Versions {
    Any,
    Some {
        /// By strong tags, which alone count for `If-Match`.
        strong: Vec<i32>,
        /// By any, which all count for `If-None-Match`.
        all: Vec<i32>,
    },
}

fn versions(headers: &HeaderMap, name: HeaderName) -> Result<Option<Versions>, Problem> {
    let field = if name == IF_MATCH {
        "If-Match"
    } else {
        "If-None-Match"
    };
    let tags = Tags::read(headers, name).map_err(|tag::Unreadable| {
        // Not to be taken for one that is absent: the edit would be made whatever the thing is like.
        let detail = r#"must be *, or entity tags such as "3" with commas between them"#.to_owned();
        let error = FieldError::at_parameter(field, "invalid_value", detail);
        Problem::with_detail(ProblemKind::MalformedRequest, error.blame()).and(error)
    })?;
    Ok(tags.map(|tags| match tags {
        Tags::Any => Versions::Any,
        Tags::Some(tags) => {
            let strong = tags.iter().filter(|tag| !tag.weak);
            Versions::Some {
                strong: strong.filter_map(tag::version).collect(),
                all: tags.iter().filter_map(tag::version).collect(),
            }
        }
    }))
}

impl FromRequest for Precondition {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::read(request.headers()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(only: Option<&str>, never: Option<&str>) -> Result<Expected, &'static str> {
        let mut request = TestRequest::default();
        for (name, value) in [(IF_MATCH, only), (IF_NONE_MATCH, never)] {
            if let Some(value) = value {
                request = request.insert_header((name, value));
            }
        }
        let read = Precondition::read(request.to_http_request().headers());
        read.map(|it| it.expected)
            .map_err(|problem| problem.kind().code())
    }

    #[test]
    fn an_edit_is_meant_for_what_its_headers_name() {
        let one_of = |versions: &[i32]| Ok(Expected::OneOf(versions.to_vec()));
        let none_of = |versions: &[i32]| Ok(Expected::NoneOf(versions.to_vec()));
        for (only, never, expected) in [
            (None, None, Ok(Expected::Any)),
            (Some("*"), None, Ok(Expected::Any)),
            (Some("\"3\""), None, one_of(&[3])),
            (Some("\"3-abc\", \"4-0-gzip\""), None, one_of(&[3, 4])),
            // A weak tag is equal to none, and what is no tag of ours names no version.
            (Some("W/\"3\""), None, one_of(&[])),
            (Some("\"x\""), None, one_of(&[])),
            (Some(""), None, one_of(&[])),
            (None, Some("*"), one_of(&[])),
            (Some("*"), Some("*"), one_of(&[])),
            (None, Some("W/\"3\", \"4-a\""), none_of(&[3, 4])),
            (Some("\"3\", \"4\""), Some("\"3\""), one_of(&[4])),
            (Some("3"), None, Err("malformed_request")),
            (Some("*, \"3\""), None, Err("malformed_request")),
            (None, Some("\"3"), Err("malformed_request")),
        ] {
            assert_eq!(read(only, never), expected, "{only:?} {never:?}");
        }
    }

    #[test]
    fn what_is_required_may_be_anything_but_absent() {
        for (value, is_given) in [(None, false), (Some("*"), true), (Some("\"3\""), true)] {
            let mut request = TestRequest::default();
            if let Some(value) = value {
                request = request.insert_header((IF_MATCH, value));
            }
            let read = Precondition::read(request.to_http_request().headers()).unwrap();
            assert_eq!(read.required().is_ok(), is_given, "{value:?}");
        }
    }
}
