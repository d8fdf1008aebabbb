//! The stable words for programs, as the document lists them.

use super::ProblemKind;
use domain::reading::ReadingError;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type, schema::AnyOfBuilder},
};

/// The words that `errors[].code` of a problem may be, each with what it means. A test of the suite holds every answer
/// to this list.
const FIELD: [(&str, &str); 20] = [
    ("duplicate_column", "the column is there twice"),
    ("duplicate_field", "the member is there twice"),
    ("empty_range", "the range ends before it begins"),
    (
        "invalid_combination",
        "it is valid by itself, but not with the rest of the request",
    ),
    (
        "invalid_token",
        "the token was used, has expired, or was never mailed",
    ),
    ("invalid_value", "the value cannot be taken here"),
    ("missing_column", "the column has to be there"),
    ("missing_field", "the member has to be there"),
    (
        "missing_parameter",
        "the parameter or header has to be there",
    ),
    ("not_done", "it was not come to; ask again for this one"),
    ("not_for_streams", "the parameter is for pages alone"),
    (
        "too_many_api_keys",
        "there are as many API keys as there may be",
    ),
    (
        "too_many_buckets",
        "the interval is too small for the range",
    ),
    ("too_many_cells", "the row has a cell without a column"),
    (
        "too_many_devices",
        "more devices are meant than one answer may be about",
    ),
    ("too_many_rules", "there are as many rules as there may be"),
    ("unknown_column", "there is no such column"),
    ("unknown_field", "there is no such member"),
    ("unknown_parameter", "there is no such parameter"),
    ("wrong_password", "it is not the password of the user"),
];

/// One of these words, or another that a later version may add: a client that was made by this document is not to
/// stumble over that.
fn words<'a>(about: String, words: impl Iterator<Item = &'a str>) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let schema = AnyOfBuilder::new()
        .description(Some(about))
        .item(text().enum_values(Some(words)))
        .item(text());
    RefOr::T(schema.into())
}

/// The kind of a problem.
pub(crate) struct ProblemCode;

impl ToSchema for ProblemCode {}

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let about = "A stable word for the kind of problem, for programs; `GET /problems` explains each. There may be \
                     more of them in later versions.";
        words(
            about.to_owned(),
            ProblemKind::ALL.iter().map(|it| it.code()),
        )
    }
}

/// What is wrong with a part of a request.
pub(crate) struct FieldErrorCode;

impl ToSchema for FieldErrorCode {}

impl PartialSchema for FieldErrorCode {
    fn schema() -> RefOr<Schema> {
        // Of a reading that is posted alone: a conflict is a problem of its own, and a SenML Pack is a batch.
        let others = ["reading_conflict", "senml_not_numeric"];
        let single = ReadingError::CODES
            .into_iter()
            .filter(|code| !others.contains(code) && FIELD.iter().all(|(known, _)| known != code));
        let codes = FIELD.iter().map(|(code, _)| *code).chain(single);
        let meanings = FIELD
            .map(|(code, meaning)| format!("`{code}`: {meaning}"))
            .join("; ");
        let about = format!(
            "A stable word for what is wrong with a part of a request, for programs. {meanings}; others are those of \
             readings. There may be more of them in later versions."
        );
        words(about, codes)
    }
}

/// Why a reading of a batch was not stored.
pub(crate) struct ItemErrorCode;

impl ToSchema for ItemErrorCode {}

impl PartialSchema for ItemErrorCode {
    fn schema() -> RefOr<Schema> {
        let about = "A stable word for why a reading was not stored, for programs. There may be more of them in later \
                     versions.";
        words(about.to_owned(), ReadingError::CODES.into_iter())
    }
}
