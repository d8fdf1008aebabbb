//! The bodies that readings are posted in, from bytes to readings and reasons.

mod form;
mod json;
mod ndjson;
mod samples;
mod scan;
mod senml;

pub(super) use form::Form;
pub(super) use samples::Samples;
pub(super) use senml::SenmlRecordView;

use crate::{
    body::{inflate, inflate_whole, malformed},
    problem::{Problem, ProblemKind},
};
use domain::{
    Timestamp,
    reading::{Intake, MAX_BATCH, Reading, ReadingError},
};
use form::Format;
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
    pub(super) samples: Samples,
}

/// Most bytes of a body when it is inflated.
const INFLATED_LIMIT: usize = 10 * 1024 * 1024;

/// Reads a body that arrived `now`, packed as `form` says.
///
/// What cannot be inflated, is no JSON or holds too many readings fails as a whole; of lines, each is
/// judged for itself. The order of the items is that of the body: blank lines, and SenML records that
/// hold nothing but base fields, are no items.
pub(super) fn parse(form: Form, packed: &[u8], now: Timestamp) -> Result<Posted, Problem> {
    let mut items = Items::new(Intake::new(now, form.precision));
    let shape = match form.format {
        Format::Json => whole(form, packed, |text| json::parse(text, &mut items))?,
        Format::SenMl => whole(form, packed, |text| senml::parse(text, &mut items))?,
        Format::NdJson => lines(form, packed, &mut items)?,
    };
    Ok(items.into_posted(shape))
}

/// Reads a body that means something only as a whole.
fn whole(
    form: Form,
    packed: &[u8],
    parse: impl FnOnce(&str) -> Result<Shape, Stop>,
) -> Result<Shape, Problem> {
    let body = inflate_whole(form.coding, packed, INFLATED_LIMIT)?;
    let text = std::str::from_utf8(&body).map_err(|_| not_json(&body))?;
    parse(text).map_err(|stop| stop.into_problem(&body))
}

/// Reads a body line by line, as it is inflated.
fn lines(form: Form, packed: &[u8], items: &mut Items) -> Result<Shape, Problem> {
    let mut lines = ndjson::Lines::default();
    inflate(form.coding, packed, INFLATED_LIMIT, |piece| {
        lines.feed(piece, items)
    })
    .and_then(|()| lines.end(items))
    .map_err(|stop| stop.into_problem(&[]))?;
    Ok(Shape::Batch)
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
mod tests;
