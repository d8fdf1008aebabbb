//! Posting readings: who posts, what is posted, hand it to the writer, answer after COMMIT.

use super::{
    ReadingView,
    new_reading::{IngestHeaders, IngestQuery, NewReadings},
    parse::{Form, Posted, SenmlRecordView, Shape, parse},
    receipt::{self, BatchReceipt, SingleReceipt},
};
use crate::{
    auth::device_key,
    body, compress,
    problem::{IngestProblems, Problem, ProblemKind, ServerProblems},
    query::Query,
    rate_limit::{self, Allowance},
    rejection,
    state::AppState,
};
use actix_web::{HttpRequest, HttpResponse, dev, post, web, web::Data};
use domain::{
    Timestamp,
    device::{DeviceId, DeviceKeyHash},
    reading::{Outcome, Reading, ReadingError},
};
use persistence::ingest::{Identity, IngestError, Mode, Room, Submission};

/// Most bytes of a body as it arrives, packed or not.
const BATCH_LIMIT: usize = 1024 * 1024;

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
        (String = "application/x-ndjson", example = "{\"metric\":\"temperature\",\"value\":21.50}\n{\"metric\":\"humidity\",\"value\":40}\n"),
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
    // A stranger is told so before anything else of the request is read.
    let identified = state.ingest.identify(key, state.clock.now()).await;
    let device = match &identified {
        Ok(identity) => identity.device,
        Err(error) => disabled(error).ok_or_else(|| error.clone())?,
    };
    let query = Query::<IngestQuery>::of(&request).map(|Query(query)| query);
    // Of a dry run nothing is missing.
    let is_noted = !query.as_ref().is_ok_and(|query| query.dry_run);
    let taken = match (identified, query) {
        (Ok(identity), Ok(query)) => {
            let body = payload.into_inner();
            take(&state, (key, identity), query, (&request, body)).await
        }
        (Err(error), _) => Err(error.into()),
        (Ok(_), Err(problem)) => Err(problem),
    };
    let taken = taken.inspect_err(|problem| {
        if is_noted {
            note(&state, device, problem);
        }
    })?;
    if is_noted {
        note_refused(&state, device, &taken);
    }
    let answer = taken.answer().inspect_err(|problem| {
        // Other problems are those of readings, which are noted.
        if is_noted && problem.kind() == ProblemKind::AtomicRefused {
            note(&state, device, problem);
        }
    })?;
    Ok(compress::plain(request.headers(), answer))
}

/// The device that is disabled, if that is what is wrong.
fn disabled(error: &IngestError) -> Option<DeviceId> {
    match error {
        IngestError::Disabled(device) => Some(*device),
        IngestError::UnknownKey
        | IngestError::Overloaded
        | IngestError::Stopped
        | IngestError::Store(_) => None,
    }
}

/// A request whose readings are stored or refused.
struct Taken {
    query: IngestQuery,
    posted: Posted,
    outcomes: Vec<Outcome>,
    allowance: Allowance,
    now: Timestamp,
    /// Held until the answer is made, for all that the request takes of memory.
    _room: Room,
}

impl Taken {
    fn answer(self) -> Result<HttpResponse, Problem> {
        let mut response = match self.posted.shape {
            Shape::Single => single(self.posted, self.outcomes)?,
            Shape::Batch => receipt::batch(&self.outcomes, self.query.receipt, self.query.atomic)?,
        };
        self.allowance.mark(&mut response);
        Ok(response)
    }
}

/// Reads what a device posts and has it stored. Fails where the request is refused as a whole.
async fn take(
    state: &AppState,
    (key, identity): (DeviceKeyHash, Identity),
    query: IngestQuery,
    (request, payload): (&HttpRequest, dev::Payload),
) -> Result<Taken, Problem> {
    let who = (identity.device, identity.owner);
    // One for the request, whatever is in it, so that nothing of it is read for nothing.
    let mut allowance = rate_limit::admit(state, who, 1)?;
    let form = Form::of(request, query.precision)?;
    let mut room = state.ingest.room(identity);
    let (posted, now) = receive(request, payload, form, (state, &mut room)).await?;
    if posted.items.len() > 1 {
        allowance = rate_limit::admit(state, who, posted.items.len() - 1)?;
    }
    let outcomes = submit(state, key, &posted, mode(&query, &posted), now).await?;
    Ok(Taken {
        query,
        posted,
        outcomes,
        allowance,
        now,
        _room: room,
    })
}

/// The answer to a reading or a batch.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the answer in the document")]
enum Receipt {
    Single(SingleReceipt),
    Batch(BatchReceipt),
}

/// Reads the body. What it takes of memory is taken from the room that all share.
async fn receive(
    request: &HttpRequest,
    payload: dev::Payload,
    form: Form,
    (state, room): (&AppState, &mut Room),
) -> Result<(Posted, Timestamp), Problem> {
    let take = |bytes| room.take(bytes).map_err(Problem::from);
    let body = body::read(request, payload, BATCH_LIMIT, take).await?;
    let now = state.clock.now();
    let posted = parse(form, &body, now)?;
    room.take(size_of_val(posted.items.as_slice()))?;
    Ok((posted, now))
}

/// What is to happen with the valid readings: none of an atomic batch is stored where others of it are
/// not valid, but all that is wrong is told at once.
fn mode(query: &IngestQuery, posted: &Posted) -> Mode {
    if query.dry_run || (query.atomic && posted.items.iter().any(Result::is_err)) {
        Mode::DryRun
    } else if query.atomic && posted.items.len() > 1 {
        Mode::Atomic
    } else {
        Mode::Each
    }
}

/// Has the valid readings stored, and answers an outcome for each reading of the request, in order.
async fn submit(
    state: &AppState,
    key: DeviceKeyHash,
    posted: &Posted,
    mode: Mode,
    now: Timestamp,
) -> Result<Vec<Outcome>, Problem> {
    let valid = posted.items.iter().filter_map(|it| it.as_ref().ok());
    let readings: Vec<Reading> = valid.cloned().collect();
    if readings.len() == posted.items.len() && mode == Mode::Each && !readings.is_empty() {
        return Ok(hand_over(state, key, readings, mode, now).await?);
    }
    let mut stored = hand_over(state, key, readings, mode, now)
        .await?
        .into_iter();
    let outcome = |it: &Result<Reading, ReadingError>| match it {
        // The writer answers each reading that it was handed.
        Ok(_) => stored.next().unwrap_or(Outcome::Duplicate),
        Err(error) => Outcome::Rejected(error.clone()),
    };
    Ok(posted.items.iter().map(outcome).collect())
}

async fn hand_over(
    state: &AppState,
    key: DeviceKeyHash,
    readings: Vec<Reading>,
    mode: Mode,
    received_at: Timestamp,
) -> Result<Vec<Outcome>, IngestError> {
    let submission = Submission {
        key,
        readings,
        mode,
        received_at,
    };
    state.ingest.submit(submission).await
}

/// The answer to a reading that came alone.
fn single(posted: Posted, outcomes: Vec<Outcome>) -> Result<HttpResponse, Problem> {
    let only = posted.items.into_iter().zip(outcomes).next();
    // One reading has one outcome, and a refused one is that of the reading itself.
    let (reading, outcome) = only.ok_or_else(|| Problem::new(ProblemKind::Internal))?;
    receipt::single(reading?, outcome)
}

/// Notes for the owner why a whole request was refused, unless it is the service that failed.
fn note(state: &AppState, device: DeviceId, problem: &Problem) {
    if problem.kind().status().is_client_error() {
        rejection::note_request(state, device, problem, None, state.clock.now());
    }
}

/// Notes for the owner why readings were refused, each with what was sent.
fn note_refused(state: &AppState, device: DeviceId, taken: &Taken) {
    let (posted, outcomes) = (&taken.posted, &taken.outcomes);
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Rejected(_));
    if !outcomes.iter().any(is_refused) {
        return;
    }
    // Only the last sample of a code is kept, so that of its last reading is enough.
    let text_of = |wanted: &ReadingError| {
        let mut pairs = posted.items.iter().zip(outcomes).rev();
        let last = pairs.find_map(|it| match it {
            (Ok(reading), Outcome::Rejected(error)) if error == wanted => Some(reading.clone()),
            (Ok(_) | Err(_), _) => None,
        });
        last.and_then(|reading| serde_json::to_string(&ReadingView::from(reading)).ok())
    };
    // What was valid as such is refused for no other reasons than these.
    let conflict = text_of(&ReadingError::Conflict);
    let too_many = text_of(&ReadingError::TooManyMetrics);
    let sample = |error: &ReadingError| {
        let mut samples = posted.samples.iter();
        let sent = samples.find(|(code, _)| *code == error.code());
        match sent {
            Some((_, text)) => Some(text),
            None if *error == ReadingError::Conflict => conflict.as_deref(),
            None => too_many.as_deref(),
        }
    };
    let refused = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Rejected(error) => Some((error, sample(error))),
        Outcome::Created | Outcome::Late | Outcome::Duplicate => None,
    });
    rejection::note_readings(state, device, refused, taken.now);
}
