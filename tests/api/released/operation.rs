//! Operations of two documents, compared.

use super::schema::{Comparison, Direction};
use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// What a client that was written by the `old` document could no longer rely on.
pub(super) fn breaking_changes(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (path, item) in members(&old["paths"]) {
        for method in METHODS {
            let was = &item[method];
            if was.is_null() {
                continue;
            }
            let name = format!("{} {path}", method.to_uppercase());
            let is = &new["paths"][path][method];
            if is.is_null() {
                found.push(format!("{name}: is gone"));
            } else {
                operation(&mut Comparison::new(old, new, &mut found), &name, was, is);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn operation(comparison: &mut Comparison<'_>, name: &str, old: &Value, new: &Value) {
    if old["operationId"] != new["operationId"] {
        comparison.note(name, "has another operationId");
    }
    if !accepts(
        alternatives(comparison.old, old),
        &alternatives(comparison.new, new),
    ) {
        comparison.note(name, "asks for other credentials");
    }
    parameters(comparison, name, old, new);
    body(comparison, name, &old["requestBody"], &new["requestBody"]);
    for (status, was) in members(&old["responses"]) {
        let at = format!("{name}: answer {status}");
        let is = &new["responses"][status];
        if is.is_null() {
            // What goes wrong may change: by the status alone a client knows how.
            if status.starts_with('2') {
                comparison.note(&at, "is gone");
            }
            continue;
        }
        let (was, is) = (comparison.before(was), comparison.now(is));
        for (header, _) in members(&was["headers"]) {
            if is["headers"][header].is_null() {
                comparison.note(&format!("{at}: header {header}"), "is gone");
            }
        }
        let contents = (&was["content"], &is["content"]);
        content(comparison, &at, Direction::Answer, contents);
    }
}

fn parameters(comparison: &mut Comparison<'_>, name: &str, old: &Value, new: &Value) {
    let were: Vec<_> = items(&old["parameters"])
        .map(|it| comparison.before(it))
        .collect();
    let are: Vec<_> = items(&new["parameters"])
        .map(|it| comparison.now(it))
        .collect();
    let place = |it: &Value| {
        let text = |member: &str| it[member].as_str().unwrap_or_default().to_owned();
        format!("{name}: {} parameter {}", text("in"), text("name"))
    };
    for was in &were {
        match are.iter().find(|it| place(it) == place(was)) {
            // The service refuses what it does not know.
            None => comparison.note(&place(was), "is gone"),
            Some(is) => {
                let schemas = (&was["schema"], &is["schema"]);
                comparison.compare(&place(was), Direction::Request, schemas);
            }
        }
    }
    for is in &are {
        let was = were.iter().find(|it| place(it) == place(is));
        let was_required = was.is_some_and(|it| it["required"] == true);
        if is["required"] == true && !was_required {
            comparison.note(&place(is), "is required now");
        }
    }
}

fn body(comparison: &mut Comparison<'_>, name: &str, old: &Value, new: &Value) {
    let name = format!("{name}: body");
    if new["required"] == true && old["required"] != true {
        comparison.note(&name, "is required now");
    }
    let contents = (&old["content"], &new["content"]);
    content(comparison, &name, Direction::Request, contents);
}

/// Each media type that there was, with what is under it.
fn content(
    comparison: &mut Comparison<'_>,
    at: &str,
    direction: Direction,
    (old, new): (&Value, &Value),
) {
    for (media_type, was) in members(old) {
        let at = format!("{at}: {media_type}");
        let is = &new[media_type];
        if is.is_null() {
            comparison.note(&at, "is gone");
        } else {
            comparison.compare(&at, direction, (&was["schema"], &is["schema"]));
        }
    }
}

/// The credentials that an operation is content with: for each way the schemes and scopes that it takes.
fn alternatives(document: &Value, operation: &Value) -> Vec<Vec<String>> {
    let own = operation.get("security").unwrap_or(&document["security"]);
    let ways = items(own).map(|way| {
        let schemes = members(way).flat_map(|(scheme, scopes)| {
            let scopes = items(scopes).map(move |scope| format!("{scheme} {scope}"));
            std::iter::once(scheme.clone()).chain(scopes)
        });
        schemes.collect()
    });
    let ways: Vec<_> = ways.collect();
    // An empty list is one way without anything.
    if ways.is_empty() {
        vec![Vec::new()]
    } else {
        ways
    }
}

/// Whether whatever was enough is enough still.
fn accepts(old: Vec<Vec<String>>, new: &[Vec<String>]) -> bool {
    old.into_iter().all(|was| {
        let mut ways = new.iter();
        ways.any(|way| way.iter().all(|part| was.contains(part)))
    })
}

pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
