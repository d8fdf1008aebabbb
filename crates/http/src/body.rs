//! Bodies of requests: bounded in size and time, and read into domain commands.

use crate::problem::{FieldError, Problem, ProblemKind};
use actix_web::{
    FromRequest, HttpRequest, dev,
    http::header,
    web::{Bytes, BytesMut},
};
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};
use std::time::Duration;

/// Most bytes of a body that is no batch of readings.
const JSON_LIMIT: usize = 64 * 1024;

/// How long a body may take to arrive, however small it is.
const DEADLINE: Duration = Duration::from_secs(20);

/// A JSON body that is a valid `T`.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            require_json(&request)?;
            let body = read(&request, payload, JSON_LIMIT).await?;
            parse(&body).map(Self)
        })
    }
}

/// A JSON body that may be left out, which is the default `T`.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read(&request, payload, JSON_LIMIT).await?;
            if body.is_empty() || body.trim_ascii() == b"null" {
                return Ok(Self(T::default()));
            }
            require_json(&request)?;
            parse(&body).map(Self)
        })
    }
}

/// Refuses a body that is not said to be JSON in plain.
pub(crate) fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    let text = |name: header::HeaderName| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or("?").trim().to_ascii_lowercase())
    };
    let media_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let merge_patch = request.method() == "PATCH" && media_type == "application/merge-patch+json";
    if media_type != "application/json" && !merge_patch {
        return Err(Problem::new(ProblemKind::UnsupportedMediaType));
    }
    match text(header::CONTENT_ENCODING).as_deref() {
        None | Some("identity" | "") => Ok(()),
        Some(_) => Err(Problem::with_detail(
            ProblemKind::UnsupportedMediaType,
            "The body must not be compressed: Content-Encoding is not supported.",
        )),
    }
}

/// Reads a body to its end, within a limit of bytes and a deadline.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: dev::Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let body = collect(payload, declared.unwrap_or(0), limit);
    tokio::time::timeout(DEADLINE, body)
        .await
        .unwrap_or_else(|_| Err(Problem::new(ProblemKind::RequestTimeout)))
}

async fn collect(
    mut payload: dev::Payload,
    expected: usize,
    limit: usize,
) -> Result<Bytes, Problem> {
    let mut body = BytesMut::with_capacity(expected.min(limit));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(ProblemKind::MalformedRequest))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn too_large(limit: usize) -> Problem {
    Problem::with_detail(
        ProblemKind::PayloadTooLarge,
        format!("The body must have at most {limit} bytes."),
    )
}

/// Reads JSON into a valid `T`, or says which member is to blame.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Settles first whether it is JSON, since the parser also calls a null or a number in the place of
    // a word, or a number out of range, broken JSON.
    serde_json::from_slice::<&RawValue>(body).map_err(|error| malformed(&error))?;
    if !is_object(body) {
        // A list would do for the parser, as the members of `T` in their order; not for us.
        let detail = "must be a JSON object".to_owned();
        return Err(Problem::invalid(FieldError::at_pointer(
            String::new(),
            "invalid_value",
            detail,
        )));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Problem::invalid(blame(error.path(), error.inner())))
}

/// Whether the text begins as a JSON object does.
pub(crate) fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

/// The body is not JSON at all; says where it stops being so.
pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    let place = format!("line {} column {}", error.line(), error.column());
    Problem::with_detail(
        ProblemKind::MalformedJson,
        format!(
            "The body could not be read as JSON: it is broken off or not well formed at {place}."
        ),
    )
}

/// Turns what serde says of a member into our words.
fn blame(path: &Path, error: &serde_json::Error) -> FieldError {
    let message = error.to_string();
    let (message, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let pointer = pointer(path);
    let (code, member, detail) = match message.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["missing", "field"] => ("missing_field", quoted, "is missing".to_owned()),
        ["unknown", "field"] => (
            "unknown_field",
            quoted,
            "is not a member that is known here".to_owned(),
        ),
        ["duplicate", "field"] => ("duplicate_field", quoted, "is there twice".to_owned()),
        // Well formed JSON that the parser stumbles over: null where a word is meant, 1e400.
        _ if !error.is_data() => (
            "invalid_value",
            "",
            "is not a value that can be taken here".to_owned(),
        ),
        // Such a message names a type of this program.
        _ if message.contains("struct ") => {
            ("invalid_value", "", "must be a JSON object".to_owned())
        }
        _ => ("invalid_value", "", message.to_owned()),
    };
    let pointer = if member.is_empty() || pointer.ends_with(&format!("/{member}")) {
        pointer
    } else {
        format!("{pointer}/{}", escape(member))
    };
    FieldError::at_pointer(pointer, code, detail)
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escape(key)),
            Segment::Enum { variant } => format!("/{}", escape(variant)),
            Segment::Unknown => String::new(),
        })
        .collect()
}

fn escape(member: &str) -> String {
    member.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{alert_rule::NewAlertRule, device::NewDevice, user::NewUser};

    fn problem<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
        let problem = parse::<T>(body.as_bytes()).unwrap_err();
        format!("{:?} {problem}", problem.kind())
    }

    #[test]
    fn the_member_to_blame_is_named() {
        for (body, words) in [
            ("{}", "name is missing"),
            (
                r#"{"name": "x", "nam/e": 1}"#,
                "nam~1e is not a member that is known here",
            ),
            (r#"{"name": ""}"#, "name must have 1 to 100 characters"),
            (
                r#"{"name": "x", "offline_after": "5 minutes"}"#,
                "offline_after must be a whole number",
            ),
            ("[]", "must be a JSON object"),
            (r#"["x"]"#, "must be a JSON object"),
            (
                r#"{"name": "x", "metadata": {"n": 1e400}}"#,
                "metadata/n is not a value",
            ),
            ("7", "must be a JSON object"),
        ] {
            let problem = problem::<NewDevice>(body);
            assert!(
                problem.starts_with("ValidationFailed") && problem.contains(words),
                "{problem}"
            );
        }
    }

    #[test]
    fn null_in_the_place_of_a_word_is_no_broken_json() {
        for (member, value) in [
            ("severity", "null"),
            ("severity", "1"),
            ("comparator", "null"),
        ] {
            let rule = r#"{"metric": "t", "threshold": 1, "#;
            let problem = problem::<NewAlertRule>(&format!("{rule}\"{member}\": {value}}}"));
            assert!(
                problem.contains(&format!("{member} is not a value")),
                "{problem}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_told_apart() {
        for body in ["", "{", r#"{"name": "x""#, "nonsense", r#"{"name": "x"} x"#] {
            assert!(
                problem::<NewDevice>(body).starts_with("MalformedJson"),
                "{body}"
            );
        }
    }

    #[test]
    fn no_type_of_the_program_is_named() {
        for body in [
            "[]",
            "{}",
            r#"{"email": 1}"#,
            r#"{"email": "x@y.z", "password": {}}"#,
        ] {
            let problem = problem::<NewUser>(body);
            for name in ["NewUser", "Password(", "struct"] {
                assert!(!problem.contains(name), "{problem}");
            }
        }
    }
}
