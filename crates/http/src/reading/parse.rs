//! The bodies that readings are posted in: one, an object with a list, or a bare list.

use crate::{
    body::{is_object, malformed},
    problem::{Problem, ProblemKind},
};
use domain::{
    Timestamp,
    reading::{MAX_BATCH, MetricError, RawReading, Reading, ReadingError},
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A reading, or why it is none, in the order of the request.
pub(super) type Parsed = Result<Reading, ReadingError>;

/// What a request carries.
#[derive(Debug)]
pub(super) enum Posted {
    /// One reading.
    Single(Parsed),
    /// A list of readings, each taken or refused on its own.
    Batch(Vec<Parsed>),
}

/// The list in an object, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    readings: Vec<&'a RawValue>,
}

/// The members of a reading, each as it was written.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object with metric, value and recorded_at"
)]
struct Members<'a> {
    #[serde(borrow, default)]
    metric: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    recorded_at: Option<Cow<'a, str>>,
}

/// Reads a body. What is no JSON, or holds too many readings, fails as a whole.
pub(super) fn parse(body: &[u8], now: Timestamp) -> Result<Posted, Problem> {
    // One pass over the whole body settles whether it is JSON; nothing of a broken one is taken.
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let text = raw.get();
    if text.starts_with('[') {
        let items: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|error| malformed(&error))?;
        return batch(&items, now);
    }
    match serde_json::from_str::<Envelope>(text) {
        Ok(envelope) => batch(&envelope.readings, now),
        Err(error) => {
            let has_list =
                serde_json::from_str::<Probe>(text).is_ok_and(|probe| probe.readings.is_some());
            if has_list {
                let detail = "A batch is {\"readings\": […]} and has no other member.";
                return Err(
                    Problem::with_detail(ProblemKind::ValidationFailed, detail).because(error)
                );
            }
            Ok(Posted::Single(reading(text, now)))
        }
    }
}

/// Looks whether an object means to be a batch.
#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow, default, deserialize_with = "there")]
    readings: Option<&'a RawValue>,
}

/// Reads a member that is there, also where it is null.
fn there<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn batch(items: &[&RawValue], now: Timestamp) -> Result<Posted, Problem> {
    if items.len() > MAX_BATCH {
        let detail = format!(
            "A request may carry at most {MAX_BATCH} readings; this one has {}.",
            items.len()
        );
        return Err(Problem::with_detail(ProblemKind::PayloadTooLarge, detail));
    }
    let readings = items.iter().map(|item| reading(item.get(), now)).collect();
    Ok(Posted::Batch(readings))
}

fn reading(text: &str, now: Timestamp) -> Parsed {
    if !is_object(text.as_bytes()) {
        return Err(ReadingError::Malformed("must be a JSON object".to_owned()));
    }
    let members: Members = serde_json::from_str(text).map_err(|_| blame(text))?;
    let raw = RawReading {
        metric: members.metric.as_deref(),
        value: members.value.map(RawValue::get),
        recorded_at: members.recorded_at.as_deref(),
    };
    Reading::parse(raw, now)
}

/// Finds out which member of a reading is to blame; only refused readings are read a second time.
fn blame(text: &str) -> ReadingError {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, Members>(&mut deserializer) else {
        return ReadingError::Malformed("is not a reading".to_owned());
    };
    match error.path().to_string().as_str() {
        "metric" => ReadingError::Metric(MetricError),
        "recorded_at" => ReadingError::Time,
        _ => {
            let message = error.inner().to_string();
            let (message, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
            ReadingError::Malformed(message.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn codes(body: &str) -> Vec<&'static str> {
        let code = |parsed: &Parsed| parsed.as_ref().map_or_else(ReadingError::code, |_| "ok");
        match parse(body.as_bytes(), now()) {
            Ok(Posted::Single(parsed)) => vec!["single", code(&parsed)],
            Ok(Posted::Batch(items)) => items.iter().map(code).collect(),
            Err(problem) => vec!["problem", problem.kind().code()],
        }
    }

    #[test]
    fn the_three_shapes_are_told_apart() {
        assert_eq!(codes(r#"{"metric": "t", "value": 1}"#), ["single", "ok"]);
        assert_eq!(
            codes(r#"{"readings": [{"metric": "t", "value": 1}]}"#),
            ["ok"]
        );
        assert_eq!(
            codes(r#" [{"metric": "t", "value": 1}, {"metric": "t", "value": 2}] "#),
            ["ok", "ok"]
        );
        assert_eq!(codes("[]"), Vec::<&str>::new());
    }

    #[test]
    fn items_are_refused_one_by_one() {
        let items = [
            (r#"{"metric": "t", "value": 1}"#, "ok"),
            (r#"{"metric": "t"}"#, "missing_field"),
            (r#"{"metric": null, "value": 1}"#, "missing_field"),
            (r#"{"metric": "1t", "value": 1}"#, "invalid_metric"),
            (r#"{"metric": "t", "value": "1"}"#, "invalid_value"),
            (r#"{"metric": "t", "value": null}"#, "missing_field"),
            (r#"{"metric": "t", "value": 1e400}"#, "invalid_value"),
            (
                r#"{"metric": "t", "value": 1, "recorded_at": "yesterday"}"#,
                "invalid_recorded_at",
            ),
            (
                r#"{"metric": "t", "value": 1, "recorded_at": 17}"#,
                "invalid_recorded_at",
            ),
            (r#"{"metric": 5, "value": 1}"#, "invalid_metric"),
            (
                r#"{"metric": "t", "value": 1, "unit": "C"}"#,
                "malformed_reading",
            ),
            ("7", "malformed_reading"),
            ("[]", "malformed_reading"),
            (r#"["t", 1, null]"#, "malformed_reading"),
            (r#"{"metric": "\u0074", "value": 1}"#, "ok"),
        ];
        let body = format!("[{}]", items.map(|(item, _)| item).join(","));
        assert_eq!(codes(&body), items.map(|(_, code)| code));
    }

    #[test]
    fn broken_bodies_fail_as_a_whole() {
        for body in [
            "",
            "{",
            "[{\"metric\": \"t\", \"value\": 1}",
            "[1,]",
            "NaN",
            "\u{feff}[]",
            "[] []",
        ] {
            assert_eq!(codes(body), ["problem", "malformed_json"], "{body}");
        }
        assert_eq!(
            codes(r#"{"readings": [], "x": 1}"#),
            ["problem", "validation_failed"]
        );
        assert_eq!(
            codes(r#"{"readings": null}"#),
            ["problem", "validation_failed"]
        );
        assert_eq!(
            codes(r#"{"readings": {}}"#),
            ["problem", "validation_failed"]
        );
        let many = format!("[{}]", vec!["0"; 10_001].join(","));
        assert_eq!(codes(&many), ["problem", "payload_too_large"]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(body in "\\PC*") {
            let _ = parse(body.as_bytes(), now());
        }
    }
}
