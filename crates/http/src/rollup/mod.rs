//! Rollups over HTTP: of one device, or of many in one answer.

mod parameters;
mod view;

use crate::{
    auth::User,
    conditional,
    path::Path,
    problem::{AuthProblems, InputProblems, NotFoundProblem, Problem, ProblemKind, ServerProblems},
    query::Query,
    state::AppState,
    view::found,
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use domain::{
    device::DeviceId,
    rollup::{RollupQuery, SeriesRollup},
};
use parameters::{FleetParameters, RollupParameters};
use persistence::{StoreError, rollup as store, session::OwnerId};
use std::time::Duration;
use tokio::time::timeout;
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
    params(("id" = DeviceId, Path), RollupParameters, conditional::KnownTag),
    responses(
        (status = OK, body = RollupView, headers(("ETag" = String, description = "Changes with the answer"))),
        (status = NOT_MODIFIED, description = "As it was when it had the `ETag` that was sent"),
        AuthProblems, NotFoundProblem, InputProblems, ServerProblems
    )
)]
#[get("/devices/{id}/rollups")]
async fn rollup_show(
    user: User,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    parameters: Query<RollupParameters>,
) -> Result<HttpResponse, Problem> {
    let query = parameters.0.question(state.clock.now())?;
    let rollups = ask(&state, user.owner, &[id.0], &query).await?;
    let asked = Asked::new(&query);
    let view = RollupView::new(Some(id.0), &asked, &rollups);
    Ok(conditional::json(&request, &view))
}

/// Sum up readings of several devices
///
/// As for one device, with an entry for each device and metric, or with `combine=true` for each metric over
/// all of the devices together.
#[utoipa::path(
    tag = "rollups",
    params(FleetParameters, conditional::KnownTag),
    responses(
        (status = OK, body = RollupView, headers(("ETag" = String, description = "Changes with the answer"))),
        (status = NOT_MODIFIED, description = "As it was when it had the `ETag` that was sent"),
        AuthProblems, NotFoundProblem, InputProblems, ServerProblems
    )
)]
#[get("/rollups")]
async fn rollup_list(
    user: User,
    request: HttpRequest,
    state: Data<AppState>,
    parameters: Query<FleetParameters>,
) -> Result<HttpResponse, Problem> {
    let Query(parameters) = parameters;
    let devices = parameters.devices(&state.db, user.owner).await?;
    let query = parameters.question(devices.len(), state.clock.now())?;
    let rollups = ask(&state, user.owner, &devices, &query).await?;
    let asked = Asked::new(&query);
    let view = RollupView::new(None, &asked, &rollups);
    Ok(conditional::json(&request, &view))
}

/// Questions that take long wait for their turn, so that they leave a connection and a core to others.
async fn ask(
    state: &AppState,
    owner: OwnerId,
    devices: &[DeviceId],
    query: &RollupQuery,
) -> Result<Vec<SeriesRollup>, Problem> {
    let _turn = if query.is_heavy(devices.len()) {
        let turn = timeout(TURN, state.heavy_rollups.acquire()).await;
        Some(turn.map_err(|_| {
            Problem::with_detail(
                ProblemKind::QueryTimeout,
                format!("Others ask questions that take long: try again later. {NARROW}"),
            )
        })?)
    } else {
        None
    };
    let rollups = store::find(&state.db, owner, devices, query).await;
    found(rollups.map_err(narrow)?)
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
