//! Posting readings: parse, hand to the writer, answer after COMMIT.

use super::{
    parse::{Form, Parsed, SenmlRecordView, Shape, parse},
    receipt::{self, BatchReceipt, SingleReceipt},
};
use crate::{
    auth::device_key,
    body,
    problem::{IngestProblems, Problem, ProblemKind, ServerProblems},
    query::Query,
    state::AppState,
};
use actix_web::{HttpRequest, HttpResponse, post, web, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    device::DeviceKeyHash,
    reading::{Outcome, Precision, Reading},
};
use persistence::ingest::Submission;
use serde::Deserialize;

/// Most bytes of a body as it arrives, packed or not.
const BATCH_LIMIT: usize = 1024 * 1024;

/// How readings are to be taken.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct IngestQuery {
    /// The unit of times that are whole numbers, counted since 1970-01-01T00:00:00Z; nanoseconds are
    /// cut to microseconds. Without it a `recorded_at` must be a string. Not for SenML.
    #[param(inline, value_type = Option<Precision>)]
    precision: Option<Precision>,
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
struct IngestHeaders {
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
enum NewReadings {
    /// One reading.
    Single(NewReading),
    /// Up to 10,000 readings, each taken or refused on its own.
    Batch { readings: Vec<NewReading> },
    /// The same without the object around it.
    List(Vec<NewReading>),
}

/// A reading to store.
#[derive(utoipa::ToSchema)]
#[schema(as = NewReading)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "describes the body in the document; it is read without this type"
)]
struct NewReading {
    metric: domain::reading::Metric,
    value: domain::decimal::ExactDecimal,
    /// When it was measured, from 2000-01-01 to ten minutes from now; by default the time of arrival.
    /// With the parameter `precision` it may be a whole number since 1970.
    #[schema(nullable = true)]
    recorded_at: Option<DateTime<Utc>>,
}

/// Post readings
///
/// One reading, or up to 10,000 in a batch: as JSON, as lines of JSON (`application/x-ndjson`), or as a
/// SenML Pack (RFC 8428). Each reading of a batch is taken or refused on its own, and named by its index
/// from 0; blank lines, and SenML records of base fields alone, are not counted. A body that is broken off
/// or cannot be read stores nothing; of lines, one that cannot be read is refused like any reading.
///
/// The answer comes after the readings are committed, so
/// what was acknowledged is never lost. Posting the same again is harmless where `recorded_at` is given;
/// without it each attempt is a reading of its own time. A single reading is
/// answered with 201 (stored now) or 200 (stored before); a batch with 200 and what became of it.
#[utoipa::path(
    tag = "readings",
    security(("device_key" = [])),
    params(IngestQuery, IngestHeaders),
    request_body(description = "Readings in one of three formats", content(
        (NewReadings = "application/json"),
        (String = "application/x-ndjson", example = "{\"metric\":\"t\",\"value\":1.50}\n{\"metric\":\"t\",\"value\":2}\n"),
        (Vec<SenmlRecordView> = "application/senml+json"),
    )),
    responses(
        (status = CREATED, body = SingleReceipt, description = "A single reading, stored now"),
        (status = OK, body = inline(Receipt), description = "A single reading that was stored before, or a batch"),
        IngestProblems, ServerProblems
    )
)]
#[post("/readings")]
pub(super) async fn reading_create(
    request: HttpRequest,
    payload: web::Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let key = device_key(&request)?.hash();
    let Query(IngestQuery { precision }) = Query::of(&request)?;
    let form = Form::of(&request, precision)?;
    let body = body::read(&request, payload.into_inner(), BATCH_LIMIT).await?;
    let now = state.clock.now();
    let posted = parse(form, &body, now)?;
    let mut outcomes = submit(&state, key, &posted.items, now).await?;
    match posted.shape {
        Shape::Single => {
            // One reading has one outcome, and a refused one is that of the reading itself.
            let outcome = outcomes.next().unwrap_or(Outcome::Duplicate);
            drop(outcomes);
            let only = posted.items.into_iter().next();
            let reading = only.ok_or_else(|| Problem::new(ProblemKind::Internal))??;
            receipt::single(reading, outcome)
        }
        Shape::Batch => receipt::batch(outcomes),
    }
}

/// The answer to a reading or a batch.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the answer in the document")]
enum Receipt {
    Single(SingleReceipt),
    Batch(BatchReceipt),
}

/// Has the valid readings stored, and answers an outcome for each reading of the request, in order.
///
/// The writer is asked even where there is no valid reading, since it alone knows the key.
async fn submit(
    state: &AppState,
    key: DeviceKeyHash,
    parsed: &[Parsed],
    now: DateTime<Utc>,
) -> Result<impl Iterator<Item = Outcome>, Problem> {
    let readings: Vec<Reading> = parsed
        .iter()
        .filter_map(|it| it.as_ref().ok())
        .cloned()
        .collect();
    let submission = Submission {
        key,
        readings,
        received_at: now,
    };
    let mut stored = state.ingest.submit(submission).await?.into_iter();
    Ok(parsed.iter().map(move |it| match it {
        // The writer answers each reading that it was handed.
        Ok(_) => stored.next().unwrap_or(Outcome::Duplicate),
        Err(error) => Outcome::Rejected(error.clone()),
    }))
}
