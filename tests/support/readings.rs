//! Readings on their way in, as text, and on their way out, digit by digit.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Answer;

/// The JSON of one reading of the metric `t`, its value written as given.
pub(crate) fn reading_at(at: DateTime<Utc>, value: impl ToString) -> String {
    reading("t", at, value)
}

/// The JSON of one reading.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test writes 1, n or \"1.50\" alike"
)]
pub(crate) fn reading(metric: &str, at: DateTime<Utc>, value: impl ToString) -> String {
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let value = value.to_string();
    format!(r#"{{"metric":"{metric}","value":{value},"recorded_at":"{at}"}}"#)
}

/// The JSON of a batch.
pub(crate) fn batch(readings: impl IntoIterator<Item = String>) -> String {
    let readings: Vec<_> = readings.into_iter().collect();
    format!(r#"{{"readings":[{}]}}"#, readings.join(","))
}

/// A reading as it comes out.
#[derive(Debug, Deserialize)]
pub(crate) struct Point {
    pub(crate) metric: String,
    value: Box<RawValue>,
    pub(crate) recorded_at: DateTime<Utc>,
}

impl Point {
    /// The digits as they stand in the answer.
    pub(crate) fn value(&self) -> &str {
        self.value.get()
    }
}

/// The readings of a list.
#[track_caller]
pub(crate) fn points(answer: &Answer) -> Vec<Point> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Point>,
    }
    answer.parse::<List>().data
}
