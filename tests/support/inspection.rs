//! What must be true of every answer, whatever a test asks for: [`Answer::read`](super::Answer::read) looks.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The document as it is published, which the program is held to elsewhere.
static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi/openapi.json")).unwrap());

/// The words that a schema of the document lists.
pub(crate) fn documented(schema: &str) -> BTreeSet<String> {
    let words = &DOCUMENT["components"]["schemas"][schema]["anyOf"][0]["enum"];
    let words = words.as_array().unwrap_or_else(|| panic!("no {schema}"));
    let words = words.iter().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

static PROBLEMS: LazyLock<BTreeSet<String>> = LazyLock::new(|| documented("ProblemCode"));
static PARTS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let parts = documented("FieldErrorCode");
    parts
        .into_iter()
        .chain(documented("ItemErrorCode"))
        .collect()
});

/// What speaks of the inside: of the database, of files, and of the types and libraries of the program.
const INSIDE: [&str; 41] = [
    "sqlx",
    "sea_orm",
    "sea-orm",
    "sqlstate",
    "postgres",
    "pgbouncer",
    "relation \"",
    "column \"",
    "constraint",
    "violates",
    "duplicate key",
    "select ",
    "insert into",
    "delete from",
    "from \"",
    "pg_",
    "::",
    ".rs",
    "src/",
    "/home/",
    "/root/",
    "/tmp/",
    "/usr/",
    "/var/",
    "panicked",
    "thread '",
    "struct ",
    "enum ",
    "variant",
    "tuple",
    "serde",
    "actix",
    "tokio",
    "os error",
    "i32",
    "i64",
    "u32",
    "u64",
    "usize",
    "vec<",
    "option<",
];

/// Names of two words in one that are no types.
const NAMES: [&str; 3] = ["SenML", "MiB", "KiB"];

/// Panics where an answer is not what every answer is.
#[track_caller]
pub(super) fn inspect(asked: &str, status: u16, headers: &HeaderMap, body: &Value) {
    for name in [
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
        "cache-control",
        "x-request-id",
    ] {
        assert!(
            headers.contains_key(name),
            "{asked}: {status} without {name}"
        );
    }
    assert!(!headers.contains_key("server"), "{asked}");
    if status >= 400 {
        let media_type = &headers["content-type"];
        assert_eq!(media_type, "application/problem+json", "{asked}: {status}");
        if !asked.starts_with("HEAD ") {
            inspect_problem(asked, status, body);
        }
    }
}

#[track_caller]
fn inspect_problem(asked: &str, status: u16, body: &Value) {
    let code = body["code"].as_str().unwrap_or_default();
    assert!(PROBLEMS.contains(code), "{asked}: {code} is not documented");
    assert_eq!(body["type"], format!("/problems/{code}"), "{asked}");
    assert_eq!(body["status"], status, "{asked}");
    let errors = body["errors"].as_array();
    for error in errors.into_iter().flatten() {
        let code = error["code"].as_str().unwrap_or_default();
        assert!(PARTS.contains(code), "{asked}: {code} is not documented");
        speaks_of_nothing_inside(asked, &error["detail"]);
    }
    speaks_of_nothing_inside(asked, &body["title"]);
    speaks_of_nothing_inside(asked, &body["detail"]);
}

#[track_caller]
fn speaks_of_nothing_inside(asked: &str, text: &Value) {
    let text = text.as_str().unwrap_or_else(|| panic!("{asked}: no text"));
    let lower = text.to_lowercase();
    let found = INSIDE.iter().find(|word| lower.contains(*word));
    assert!(found.is_none(), "{asked}: {found:?} in {text}");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let found = words
        .into_iter()
        .find(|word| is_type(word) && !NAMES.contains(word));
    assert!(found.is_none(), "{asked}: {found:?} in {text}");
}

/// Whether a word is written as names of types are: `NewDevice`.
fn is_type(word: &str) -> bool {
    let mut pairs = word.as_bytes().windows(2);
    let begins = word.starts_with(|c: char| c.is_ascii_uppercase());
    begins && pairs.any(|it| it[0].is_ascii_lowercase() && it[1].is_ascii_uppercase())
}
