//! The bodies that readings are posted in, from bytes to readings and reasons.

mod json;
mod samples;
mod scan;

pub(super) use samples::Samples;

use crate::{
    body::malformed,
    problem::{Problem, ProblemKind},
};
use domain::{
    Timestamp,
    reading::{Intake, MAX_BATCH, Precision, Reading, ReadingError},
};
use scan::NotJson;
use serde::de::IgnoredAny;

/// A reading, or why it is none, in the order of the request.
pub(super) type Parsed = Result<Reading, ReadingError>;

/// Whether a reading came alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One reading, which is answered as such.
    Single,
    /// A list of readings, each taken or refused on its own.
    Batch,
}

/// What a request carries.
#[derive(Debug)]
pub(super) struct Posted {
    /// Whether it is one reading; then `items` has one entry.
    pub(super) shape: Shape,
    /// At most [`MAX_BATCH`] readings and refusals.
    pub(super) items: Vec<Parsed>,
    /// The last refused item of each code.
    #[expect(dead_code, reason = "what shows them is still to come")]
    pub(super) samples: Samples,
}

/// Reads a body. What is no JSON, or holds too many readings, fails as a whole.
pub(super) fn parse(
    body: &[u8],
    now: Timestamp,
    precision: Option<Precision>,
) -> Result<Posted, Problem> {
    let mut items = Items::new(Intake::new(now, precision));
    let text = std::str::from_utf8(body).map_err(|_| not_json(body))?;
    let shape = json::parse(text, &mut items).map_err(|stop| stop.into_problem(body))?;
    Ok(items.into_posted(shape))
}

/// What has been read of a request so far.
#[derive(Debug)]
struct Items {
    intake: Intake,
    parsed: Vec<Parsed>,
    samples: Samples,
}

impl Items {
    fn new(intake: Intake) -> Self {
        Self {
            intake,
            parsed: Vec::new(),
            samples: Samples::default(),
        }
    }

    /// Fails before one reading too many is read, however many more there are.
    fn has_room(&self) -> Result<(), Stop> {
        (self.parsed.len() < MAX_BATCH)
            .then_some(())
            .ok_or(Stop::TooMany)
    }

    /// Adds what became of an item, whose text is kept where it was refused.
    fn push(&mut self, parsed: Parsed, text: &[u8]) {
        if let Err(error) = &parsed {
            self.samples.keep(error.code(), text);
        }
        self.parsed.push(parsed);
    }

    fn into_posted(self, shape: Shape) -> Posted {
        Posted {
            shape,
            items: self.parsed,
            samples: self.samples,
        }
    }
}

/// Why a body is refused as a whole.
#[derive(Debug)]
enum Stop {
    NotJson,
    TooMany,
    Problem(Problem),
}

impl From<NotJson> for Stop {
    fn from(_: NotJson) -> Self {
        Self::NotJson
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Stop {
    fn into_problem(self, body: &[u8]) -> Problem {
        match self {
            Self::NotJson => not_json(body),
            Self::TooMany => {
                let detail =
                    format!("A request may carry at most {MAX_BATCH} readings; this one has more.");
                Problem::with_detail(ProblemKind::PayloadTooLarge, detail)
            }
            Self::Problem(problem) => problem,
        }
    }
}

/// Reads a body that is no JSON once more, only to tell where it stops being so.
fn not_json(body: &[u8]) -> Problem {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Err(error) => malformed(&error),
        Ok(_) => Problem::with_detail(
            ProblemKind::MalformedJson,
            "The body could not be read as JSON: it is not UTF-8.",
        ),
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
        match parse(body.as_bytes(), now(), None) {
            Ok(posted) => {
                let single = (posted.shape == Shape::Single).then_some("single");
                single
                    .into_iter()
                    .chain(posted.items.iter().map(code))
                    .collect()
            }
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
            (
                r#"{"metric": "t", "value": 1, "metric": null}"#,
                "malformed_reading",
            ),
            (r#"{"metric": "\ud800", "value": 1}"#, "invalid_metric"),
            (r#"{"\ud800": "t", "value": 1}"#, "malformed_reading"),
            ("1e400", "malformed_reading"),
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

    /// `cargo test --release -p readout-http --lib nanoseconds -- --ignored --nocapture`
    #[test]
    #[ignore = "measures, and says nothing in a debug build"]
    fn nanoseconds_of_a_reading() {
        let reading = |n: u32| {
            let (day, hour, minute, second) = (n % 28 + 1, n % 24, n % 60, n / 60 % 60);
            let at = format!("2025-06-{day:02}T{hour:02}:{minute:02}:{second:02}.{n:06}Z");
            let value = format!("{}.{:02}", n % 100, n % 97);
            format!(r#"{{"metric":"temperature","value":{value},"recorded_at":"{at}"}}"#)
        };
        let readings: Vec<_> = (0..10_000).map(reading).collect();
        let body = format!(r#"{{"readings":[{}]}}"#, readings.join(","));
        let run = |_| {
            let start = std::time::Instant::now();
            let posted = parse(body.as_bytes(), now(), None).unwrap();
            let elapsed = start.elapsed();
            assert!(posted.items.iter().all(Result::is_ok));
            elapsed.as_nanos() / 10_000
        };
        let best = (0..50).map(run).min();
        eprintln!("{} ns a reading", best.unwrap_or_default());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(body in "\\PC*") {
            let _ = parse(body.as_bytes(), now(), None);
        }
    }
}
