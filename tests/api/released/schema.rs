//! Schemas of two documents, compared: whether the one takes whatever the other does.

use super::operation::{items, members};
use serde_json::{Map, Value, json};

/// Who writes what a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// The client: the new schema has to take all that the old one took.
    Request,
    /// The service: the old schema has to take all that it answers by the new one.
    Answer,
}

/// Bounds below which nothing is valid.
const LOWER: [&str; 5] = [
    "minLength",
    "minimum",
    "exclusiveMinimum",
    "minItems",
    "minProperties",
];

/// Bounds above which nothing is valid.
const UPPER: [&str; 5] = [
    "maxLength",
    "maximum",
    "exclusiveMaximum",
    "maxItems",
    "maxProperties",
];

/// How deep schemas are followed: further than any of ours goes, unless it contains itself.
const DEPTH: usize = 12;

pub(super) struct Comparison<'a> {
    pub(super) old: &'a Value,
    pub(super) new: &'a Value,
    found: &'a mut Vec<String>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(old: &'a Value, new: &'a Value, found: &'a mut Vec<String>) -> Self {
        Self { old, new, found }
    }

    pub(super) fn note(&mut self, at: &str, what: &str) {
        self.found.push(format!("{at}: {what}"));
    }

    /// Something of the old document, without the reference to it.
    pub(super) fn before(&self, value: &Value) -> Value {
        resolve(self.old, value)
    }

    /// Something of the new document, without the reference to it.
    pub(super) fn now(&self, value: &Value) -> Value {
        resolve(self.new, value)
    }

    pub(super) fn compare(&mut self, at: &str, direction: Direction, schemas: (&Value, &Value)) {
        let found = self.differences(at, direction, schemas, DEPTH);
        self.found.extend(found);
    }

    fn differences(
        &self,
        at: &str,
        direction: Direction,
        (old, new): (&Value, &Value),
        depth: usize,
    ) -> Vec<String> {
        if depth == 0 || old.is_null() {
            return Vec::new();
        }
        let (old, new) = (variants(self.old, old), variants(self.new, new));
        let (narrow, wide) = match direction {
            Direction::Request => (&old, &new),
            Direction::Answer => (&new, &old),
        };
        // Each that may come has to be one of those that are taken: where it is none, the nearest tells why.
        let each = narrow.iter().flat_map(|narrow| {
            let against = wide.iter().map(|wide| {
                let pair = match direction {
                    Direction::Request => (narrow, wide),
                    Direction::Answer => (wide, narrow),
                };
                self.between(at, direction, pair, depth)
            });
            against.min_by_key(Vec::len).unwrap_or_default()
        });
        each.collect()
    }

    /// What stands between two schemas of one type each.
    fn between(
        &self,
        at: &str,
        direction: Direction,
        (old, new): (&Value, &Value),
        depth: usize,
    ) -> Vec<String> {
        let (wide, narrow) = match direction {
            Direction::Request => (new, old),
            Direction::Answer => (old, new),
        };
        let mut found = Vec::new();
        let mut note = |what: String| found.push(format!("{at}: {what}"));
        let is_within = wide["type"] == narrow["type"]
            || (wide["type"] == "number" && narrow["type"] == "integer");
        if !wide["type"].is_null() && !is_within {
            let now = new["type"].as_str().unwrap_or("anything");
            // Nothing else can be told of another type.
            note(format!("is {now} now"));
            note("and nothing else of it fits".to_owned());
            return found;
        }
        for value in values(narrow, wide) {
            note(match direction {
                Direction::Request => format!("no longer takes {value}"),
                Direction::Answer => format!("may be {value} now"),
            });
        }
        for word in ["pattern", "format"] {
            if !wide[word].is_null() && wide[word] != narrow[word] {
                note(format!("has another {word}"));
            }
        }
        for (words, is_wider) in [(LOWER, f64::le as fn(&f64, &f64) -> bool), (UPPER, f64::ge)] {
            for word in words {
                let (wide, narrow) = (wide[word].as_f64(), narrow[word].as_f64());
                if wide.is_some_and(|wide| !narrow.is_some_and(|narrow| is_wider(&wide, &narrow))) {
                    note(format!("{word} is {} now", new[word]));
                }
            }
        }
        found.extend(object(at, direction, (old, new)));
        for (name, was) in members(&old["properties"]) {
            let pair = (was, &new["properties"][name]);
            if !pair.1.is_null() {
                found.extend(self.differences(&format!("{at}/{name}"), direction, pair, depth - 1));
            }
        }
        for inner in ["items", "additionalProperties"] {
            let pair = (&old[inner], &new[inner]);
            if pair.0.is_object() && pair.1.is_object() {
                found.extend(self.differences(&format!("{at}/*"), direction, pair, depth - 1));
            }
        }
        found
    }
}

/// Which members there are, and which there must be.
fn object(at: &str, direction: Direction, (old, new): (&Value, &Value)) -> Vec<String> {
    let mut found = Vec::new();
    let requires = |schema: &Value, name: &str| items(&schema["required"]).any(|it| it == name);
    for (name, _) in members(&old["properties"]) {
        let is_gone = new["properties"][name].is_null();
        match direction {
            Direction::Request if is_gone => found.push(format!("{at}/{name}: is no longer taken")),
            Direction::Answer if is_gone => found.push(format!("{at}/{name}: is gone")),
            Direction::Answer if requires(old, name) && !requires(new, name) => {
                found.push(format!("{at}/{name}: may be missing now"));
            }
            Direction::Request | Direction::Answer => {}
        }
    }
    if direction == Direction::Request {
        let names = items(&new["required"]).filter_map(Value::as_str);
        for name in names.filter(|name| !requires(old, name)) {
            found.push(format!("{at}/{name}: is required now"));
        }
        if new["additionalProperties"] == false && old["additionalProperties"] != false {
            found.push(format!("{at}: takes no other members any more"));
        }
    }
    found
}

/// The values of the narrow schema that the wide one does not have, where it lists its own.
fn values(narrow: &Value, wide: &Value) -> Vec<String> {
    let Some(wide) = wide["enum"].as_array() else {
        return Vec::new();
    };
    let Some(narrow) = narrow["enum"].as_array() else {
        return vec!["any value".to_owned()];
    };
    let others = narrow.iter().filter(|it| !wide.contains(it));
    others.map(Value::to_string).collect()
}

/// A schema as a choice of schemas that have one type each and no references.
fn variants(document: &Value, schema: &Value) -> Vec<Value> {
    let schema = flat(document, schema);
    let choices: Vec<_> = ["oneOf", "anyOf"]
        .iter()
        .flat_map(|it| items(&schema[*it]))
        .collect();
    if !choices.is_empty() {
        return choices
            .into_iter()
            .flat_map(|it| variants(document, it))
            .collect();
    }
    let Some(types) = schema["type"].as_array() else {
        return vec![schema];
    };
    let one = |kind: &Value| {
        let mut variant = schema.clone();
        variant["type"] = kind.clone();
        variant
    };
    types.iter().map(one).collect()
}

/// A schema without references, and with what it has to be at once in one.
fn flat(document: &Value, schema: &Value) -> Value {
    let mut schema = resolve(document, schema);
    let parts = schema.as_object_mut().and_then(|it| it.remove("allOf"));
    for part in parts.iter().flat_map(items) {
        for (word, value) in members(&flat(document, part)) {
            match &mut schema[word] {
                Value::Object(known) => {
                    known.extend(value.as_object().cloned().unwrap_or_default());
                }
                Value::Array(known) => known.extend(items(value).cloned()),
                Value::Null => schema[word] = value.clone(),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
    schema
}

/// Follows references; what stands beside one is added to what it leads to.
fn resolve(document: &Value, value: &Value) -> Value {
    let Some(target) = value["$ref"].as_str() else {
        return if value.is_null() {
            json!({})
        } else {
            value.clone()
        };
    };
    let place = document.pointer(target.trim_start_matches('#'));
    let place = place.unwrap_or_else(|| panic!("{target} leads nowhere"));
    let mut resolved = resolve(document, place);
    let beside = members(value).filter(|(word, _)| *word != "$ref");
    let beside: Map<String, Value> = beside
        .map(|(word, it)| (word.clone(), it.clone()))
        .collect();
    if let Some(resolved) = resolved.as_object_mut() {
        resolved.extend(beside);
    }
    resolved
}
