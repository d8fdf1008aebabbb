//! Readings as plain JSON: one, an object with a list of them, or a bare list.

use super::{
    Items, Shape, Stop,
    scan::{NotJson, Scanner, string},
};
use crate::problem::{Problem, ProblemKind};
use domain::reading::{Intake, MetricError, RawReading, RawTime, Reading, ReadingError};

/// Reads a whole body.
pub(super) fn parse(text: &str, items: &mut Items) -> Result<Shape, Stop> {
    let mut scanner = Scanner::new(text);
    let shape = if scanner.peek() == Some(b'[') {
        list(&mut scanner, items)?;
        Shape::Batch
    } else {
        object(&mut scanner, items)?
    };
    scanner.end()?;
    Ok(shape)
}

fn list(scanner: &mut Scanner<'_>, items: &mut Items) -> Result<(), Stop> {
    scanner.array(|scanner| {
        items.has_room()?;
        let begin = scanner.place();
        let members = Members::scan(scanner)?;
        let parsed = members.and_then(|members| members.reading(&mut items.intake));
        items.push(parsed, scanner.since(begin).as_bytes());
        Ok(())
    })
}

/// Reads what is no bare list. Whether it is a batch is known only when its end is reached.
fn object(scanner: &mut Scanner<'_>, items: &mut Items) -> Result<Shape, Stop> {
    let begin = scanner.place();
    let (mut members, mut lists, mut is_batch) = (Members::default(), 0, true);
    if scanner.peek() == Some(b'{') {
        scanner.object::<Stop>(|scanner, name| {
            if string(name).as_deref() != Some("readings") {
                is_batch = false;
                members.take(name, scanner.value()?);
                return Ok(());
            }
            lists += 1;
            if lists == 1 && scanner.peek() == Some(b'[') {
                return list(scanner, items);
            }
            is_batch = false;
            scanner.value()?;
            Ok(())
        })?;
    } else {
        members.refuse(|| "must be a JSON object".to_owned());
        scanner.value()?;
    }
    match lists {
        0 => {
            let parsed = members.reading(&mut items.intake);
            items.push(parsed, scanner.since(begin).as_bytes());
            Ok(Shape::Single)
        }
        _ if is_batch => Ok(Shape::Batch),
        _ => {
            let detail = "A batch is {\"readings\": […]} and has no other member.";
            Err(Problem::with_detail(ProblemKind::ValidationFailed, detail).into())
        }
    }
}

/// Reads one reading, and nothing after it.
pub(super) fn single(text: &str, intake: &mut Intake) -> Result<Reading, ReadingError> {
    let mut scanner = Scanner::new(text);
    let members = Members::scan(&mut scanner);
    let members = members.and_then(|members| scanner.end().map(|()| members));
    let members = members.map_err(|NotJson| ReadingError::Malformed("is not JSON".to_owned()))?;
    members.and_then(|members| members.reading(intake))
}

/// The members of a reading, each as its JSON text.
#[derive(Debug, Default)]
struct Members<'a> {
    metric: Option<&'a str>,
    value: Option<&'a str>,
    recorded_at: Option<&'a str>,
    /// The first thing that makes it no reading at all.
    fault: Option<String>,
}

impl<'a> Members<'a> {
    /// Takes the next value; what is JSON but no object is refused for itself alone.
    fn scan(scanner: &mut Scanner<'a>) -> Result<Result<Self, ReadingError>, NotJson> {
        if scanner.peek() != Some(b'{') {
            scanner.value()?;
            let detail = "must be a JSON object".to_owned();
            return Ok(Err(ReadingError::Malformed(detail)));
        }
        let mut members = Self::default();
        scanner.object::<NotJson>(|scanner, name| {
            members.take(name, scanner.value()?);
            Ok(())
        })?;
        Ok(Ok(members))
    }

    fn take(&mut self, name: &'a str, value: &'a str) {
        let name = string(name);
        let slot = match name.as_deref() {
            Some("metric") => &mut self.metric,
            Some("value") => &mut self.value,
            Some("recorded_at") => &mut self.recorded_at,
            name => {
                return self.refuse(|| {
                    let name: String = name.unwrap_or("?").chars().take(32).collect();
                    format!(
                        "has an unknown member {name:?}: a reading has metric, value and recorded_at"
                    )
                });
            }
        };
        if slot.replace(value).is_some() {
            self.refuse(|| format!("has the member {} twice", name.unwrap_or_default()));
        }
    }

    /// Keeps the first fault; an item may have millions.
    fn refuse(&mut self, detail: impl FnOnce() -> String) {
        self.fault.get_or_insert_with(detail);
    }

    fn reading(self, intake: &mut Intake) -> Result<Reading, ReadingError> {
        if let Some(fault) = self.fault {
            return Err(ReadingError::Malformed(fault));
        }
        // A member that is null is as good as none.
        let given = |value: Option<&'a str>| value.filter(|value| *value != "null");
        let metric = match given(self.metric) {
            Some(value) => Some(string(value).ok_or(MetricError)?),
            None => None,
        };
        let time = given(self.recorded_at).map(|value| (value, string(value)));
        let recorded_at = time.as_ref().map(|(value, text)| match text {
            Some(text) => RawTime::Text(text),
            None if value.starts_with(|it: char| it == '-' || it.is_ascii_digit()) => {
                RawTime::Number(value)
            }
            None => RawTime::Other,
        });
        intake.reading(RawReading {
            metric: metric.as_deref(),
            value: given(self.value),
            recorded_at,
        })
    }
}
