//! Rollups over HTTP: of one device, or of many in one answer.

mod parameters;
mod shared;
mod view;

pub(crate) use shared::Shared;

use crate::{
    auth::{ReadingsRead, Scoped},
    conditional::Tagged,
    path::Path,
    problem::{InputProblems, NotFoundProblem, Problem, ProblemKind, ServerProblems},
    query::Query,
    state::AppState,
    view::found,
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use domain::{Timestamp, device::DeviceId, rollup::RollupQuery};
use parameters::{FleetParameters, RollupParameters};
use persistence::{StoreError, rollup as store, session::OwnerId};
use shared::{Open, Question};
use std::time::Duration;
use tokio::{sync::SemaphorePermit, time::timeout};
use utoipa_actix_web::service_config::ServiceConfig;
use view::{Asked, RollupView};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(rollup_show).service(rollup_list);
}

/// Sum up readings by windows of time
///
/// Never stale: the answer is what the stored readings come to at the moment of asking, also of those that
/// arrived late. Windows below a day have always the same length, are counted from midnight by standard (winter)
/// time in `timezone`, and do not move with `start`; longer ones begin at midnight there by the calendar (weeks on
/// Monday), so that days have 23 or 25 hours where clocks change. At most 11,000 buckets are answered in all.
///
/// The answer has a strong `ETag`; with `If-None-Match` it is 304 until there are other readings or a window
/// closes. A range without `end` goes on to the end of the window that is open.
#[utoipa::path(
    tag = "rollups",
    params(("id" = DeviceId, Path), RollupParameters),
    responses(
        (status = OK, body = RollupView),
        Scoped<ReadingsRead>, NotFoundProblem, InputProblems, ServerProblems
    )
)]
#[get("/devices/{id}/rollups")]
async fn rollup_show(
    user: Scoped<ReadingsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    parameters: Query<RollupParameters>,
) -> Result<HttpResponse, Problem> {
    let Query(parameters) = parameters;
    let prepare = async |now| Ok((vec![id.0], parameters.clone().question(now)?));
    answer(&state, user.owner, &request, Some(id.0), prepare).await
}

/// Sum up readings of several devices
///
/// As for one device, with an entry for each device and metric, or with `combine=true` for each metric over
/// all of the devices together.
#[utoipa::path(
    tag = "rollups",
    params(FleetParameters),
    responses(
        (status = OK, body = RollupView),
        Scoped<ReadingsRead>, NotFoundProblem, InputProblems, ServerProblems
    )
)]
#[get("/rollups")]
async fn rollup_list(
    user: Scoped<ReadingsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    parameters: Query<FleetParameters>,
) -> Result<HttpResponse, Problem> {
    let Query(parameters) = parameters;
    let prepare = async |now| {
        let devices = parameters.devices(&state.db, user.owner).await?;
        let query = parameters.clone().question(devices.len(), now)?;
        Ok((devices, query))
    };
    answer(&state, user.owner, &request, None, prepare).await
}

/// Answers a question, or has an equal one answer it that has not begun yet.
async fn answer(
    state: &AppState,
    owner: OwnerId,
    request: &HttpRequest,
    device: Option<DeviceId>,
    prepare: impl AsyncFn(Timestamp) -> Result<(Vec<DeviceId>, RollupQuery), Problem>,
) -> Result<HttpResponse, Problem> {
    let question = Question::new(owner, request);
    let find_out = async |open: Open<'_>| {
        let (devices, query) = prepare(state.clock.now()).await?;
        let _patience = patience(state, &devices, &query).await?;
        let _turn = open.begin().await;
        // Once more, since others have joined meanwhile, who mean the devices and the time that there are now.
        let (devices, query) = prepare(state.clock.now()).await?;
        let rollups = store::find(&state.db, owner, &devices, &query).await;
        let rollups = found(rollups.map_err(narrow)?)?;
        Tagged::new(&RollupView::new(device, &Asked::new(&query), &rollups))
    };
    let answer = state.rollups.answer(question, find_out).await?;
    Ok(answer.answer(request))
}

/// Questions that take long wait for each other, so that they leave a connection and a core to others.
async fn patience<'a>(
    state: &'a AppState,
    devices: &[DeviceId],
    query: &RollupQuery,
) -> Result<Option<SemaphorePermit<'a>>, Problem> {
    if !query.is_heavy(devices.len()) {
        return Ok(None);
    }
    match timeout(TURN, state.heavy_rollups.acquire()).await {
        Ok(turn) => Ok(turn.ok()),
        Err(_) => Err(Problem::with_detail(
            ProblemKind::QueryTimeout,
            format!("Others ask questions that take long: try again later. {NARROW}"),
        )),
    }
}

/// How long a question that takes long waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// What to ask for less of.
const NARROW: &str = "Ask for a shorter range, fewer devices or metrics, or an interval of whole hours; and without \
                      percentiles, which take every reading.";

/// Says what to ask for less of, where a question took too long.
fn narrow(error: StoreError) -> Problem {
    if !matches!(error, StoreError::Timeout(_)) {
        return error.into();
    }
    let detail = format!("The question took too long to answer. {NARROW}");
    Problem::with_detail(ProblemKind::QueryTimeout, detail).because(error)
}
