//! What may be posted, as the document says it. The bodies themselves are read by `parse`.

use chrono::{DateTime, Utc};
use domain::reading::Precision;
use serde::Deserialize;
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type, schema::SchemaType};

/// How readings are to be taken.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct IngestQuery {
    /// The unit of times that are whole numbers, counted since 1970-01-01T00:00:00Z; nanoseconds are
    /// cut to microseconds. Without it a `recorded_at` must be a string. Not for SenML.
    #[param(inline, value_type = Option<Precision>)]
    pub(super) precision: Option<Precision>,
    /// Whether to store all readings or, where one is refused, none: then the answer is 422 with the
    /// reason of each that was refused.
    #[serde(default)]
    #[param(default = false)]
    pub(super) atomic: bool,
    /// Whether only to try: the answer is what it would be, and nothing is stored.
    #[serde(default)]
    #[param(default = false)]
    pub(super) dry_run: bool,
    /// What the receipt of a batch lists.
    #[serde(default)]
    #[param(inline)]
    pub(super) receipt: ReceiptDetail,
}

/// What the receipt of a batch lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "errors")]
pub(super) enum ReceiptDetail {
    /// The readings that were refused, in `errors`.
    #[default]
    Errors,
    /// Every reading too, in `items`.
    Full,
}

/// How a body is packed.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a header in the document")]
enum ContentEncoding {
    Identity,
    Gzip,
    Zstd,
}

/// What the headers say of the body.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the headers in the document")]
pub(super) struct IngestHeaders {
    /// How the body is packed: one coding, in any case. A packed body has at most 1 MiB as it arrives
    /// and 10 MiB inflated; zstd has a window of at most 8 MiB (RFC 9659).
    #[param(rename = "Content-Encoding", inline, nullable = false)]
    content_encoding: Option<ContentEncoding>,
}

/// What may be posted.
#[derive(utoipa::ToSchema)]
#[schema(as = NewReadings)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "describes the body in the document; it is read without this type"
)]
pub(super) enum NewReadings {
    /// One reading.
    Single(NewReading),
    /// Up to 10,000 readings, each taken or refused on its own.
    Batch { readings: Vec<NewReading> },
    /// The same without the object around it.
    List(Vec<NewReading>),
}

/// A reading to store.
#[derive(utoipa::ToSchema)]
#[schema(as = NewReading, example = json!({"metric": "temperature", "value": 21.5}))]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "describes the body in the document; it is read without this type"
)]
pub(super) struct NewReading {
    metric: domain::reading::Metric,
    value: domain::decimal::ExactDecimal,
    #[schema(schema_with = recorded_at)]
    recorded_at: Option<DateTime<Utc>>,
}

fn recorded_at() -> ObjectBuilder {
    let types = vec![Type::String, Type::Integer, Type::Null];
    let about = "When it was measured, from 2000-01-01 to ten minutes from now; by default the time of arrival. With the \
                 parameter `precision` it may be a whole number since 1970.";
    ObjectBuilder::new()
        .description(Some(about))
        .schema_type(SchemaType::Array(types))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples(["2026-01-31T12:00:00.5Z"])
}
