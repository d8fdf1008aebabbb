//! JSON read into a valid value, or the member to blame.

use crate::problem::{FieldError, Problem, ProblemKind};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

/// Reads JSON into a valid `T`, or says which member is to blame.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Settles first whether it is JSON, since the parser also calls a null or a number in the place of
    // a word, or a number out of range, broken JSON.
    serde_json::from_slice::<&RawValue>(body).map_err(|error| malformed(&error))?;
    valid(body).map_err(Problem::invalid)
}

/// Reads what is JSON for sure into a valid `T`, or says which member is to blame.
pub(crate) fn valid<T: DeserializeOwned>(json: &[u8]) -> Result<T, FieldError> {
    if !is_object(json) {
        // A list would do for the parser, as the members of `T` in their order; not for us.
        let detail = "must be a JSON object".to_owned();
        return Err(FieldError::at_pointer(
            String::new(),
            "invalid_value",
            detail,
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| blame(error.path(), error.inner()))
}

/// Whether the text begins as a JSON object does.
fn is_object(json: &[u8]) -> bool {
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
        ["unknown", "variant"] => {
            let known = message.split("expected ").last().unwrap_or_default();
            let known = known.replace('`', "").replace("one of ", "");
            ("invalid_value", "", format!("must be one of: {known}"))
        }
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
        ["invalid", "type:"] => ("invalid_value", "", must_be(message)),
        _ => ("invalid_value", "", message.to_owned()),
    };
    let pointer = if member.is_empty() || pointer.ends_with(&format!("/{member}")) {
        pointer
    } else {
        format!("{pointer}/{}", escape(member))
    };
    FieldError::at_pointer(pointer, code, detail)
}

/// What is expected in the place of another type, in words of JSON: `invalid type: null, expected a string`.
fn must_be(message: &str) -> String {
    let expected = message
        .split_once(", expected ")
        .map_or("of another type", |it| it.1);
    let expected = match expected {
        "a boolean" => "true or false",
        "a map" => "a JSON object",
        "a sequence" => "a list",
        other => other,
    };
    format!("must be {expected}")
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

/// A member's name as a part of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape(member: &str) -> String {
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
    fn the_words_that_there_are_are_named() {
        let rule = r#"{"metric": "t", "threshold": 1, "comparator": "eq"}"#;
        let problem = problem::<NewAlertRule>(rule);
        assert!(
            problem.contains("comparator must be one of: gt, lt, gte, lte"),
            "{problem}"
        );
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
