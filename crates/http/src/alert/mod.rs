//! Alerts over HTTP.

mod timeline;
mod view;

use crate::{
    auth::{AlertsRead, AlertsWrite, Scoped},
    body::OptionalJson,
    conditional,
    path::Path,
    problem::{
        AlreadyResolvedProblem, BodyProblems, InputProblems, NotFoundProblem, Problem,
        ServerProblems,
    },
    query::Query,
    state::AppState,
    view::{PageView, found, page},
};
use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use domain::{
    alert::{AlertId, AlertStatus, Note},
    alert_rule::AlertRuleId,
    device::DeviceId,
    instant::Instant,
    page::{Cursor, PageLimit},
};
use persistence::alert::{self as store, AlertFilter};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use view::AlertView;

/// Which alerts to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    /// Only alerts with this status.
    status: Option<AlertStatus>,
    /// Only alerts of this device.
    device_id: Option<DeviceId>,
    /// Only alerts of this rule.
    rule_id: Option<AlertRuleId>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, AlertId)>>,
    /// How many alerts a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

/// What to note when taking note of an alert.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    /// For those who look at the alert later.
    note: Option<Note>,
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(alert_list)
        .service(alert_show)
        .service(timeline::alert_timeline)
        .service(alert_acknowledge)
        .service(alert_resolve);
}

/// List alerts
///
/// Latest triggered first.
#[utoipa::path(
    tag = "alerts",
    params(AlertQuery),
    responses((status = OK, body = PageView<AlertView>), Scoped<AlertsRead>, InputProblems, ServerProblems)
)]
#[get("/alerts")]
async fn alert_list(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    query: Query<AlertQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(AlertQuery {
        status,
        device_id,
        rule_id,
        cursor,
        limit,
    }) = query;
    let filter = AlertFilter {
        status,
        device_id,
        rule_id,
    };
    let cursor = cursor.map(|Cursor((at, id))| Cursor((at.get(), id)));
    let alerts = store::list(&state.db, user.owner, &filter, cursor, limit).await?;
    Ok(page::<_, _, AlertView>(&request, alerts))
}

/// Show an alert
///
/// As far as it has come, with the value and the version of the rule by which it fired.
#[utoipa::path(
    tag = "alerts",
    params(("id" = AlertId, Path)),
    responses((status = OK, body = AlertView), Scoped<AlertsRead>, NotFoundProblem, ServerProblems)
)]
#[get("/alerts/{id}")]
async fn alert_show(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<AlertId>,
) -> Result<HttpResponse, Problem> {
    let alert = found(store::find(&state.db, user.owner, id.0).await?)?;
    Ok(conditional::json(&request, &AlertView::from(alert)))
}

/// Take note of an alert
///
/// Doing so again changes nothing but the note, if there is a new one.
#[utoipa::path(
    tag = "alerts",
    params(("id" = AlertId, Path)),
    request_body = Option<Acknowledgement>,
    responses((status = OK, body = AlertView), Scoped<AlertsWrite>, NotFoundProblem, BodyProblems, ServerProblems)
)]
#[post("/alerts/{id}/acknowledge")]
async fn alert_acknowledge(
    user: Scoped<AlertsWrite>,
    state: Data<AppState>,
    id: Path<AlertId>,
    body: OptionalJson<Acknowledgement>,
) -> Result<HttpResponse, Problem> {
    let note = body.0.note.as_ref();
    let alert = store::acknowledge(&state.db, user.owner, id.0, note, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(AlertView::from(found(alert)?)))
}

/// End an alert by hand
///
/// The rule fires again at the next breach that is measured later. An alert that has ended otherwise
/// is a conflict. With a note it is taken note of, too.
#[utoipa::path(
    tag = "alerts",
    params(("id" = AlertId, Path)),
    request_body = Option<Acknowledgement>,
    responses(
        (status = OK, body = AlertView),
        Scoped<AlertsWrite>, NotFoundProblem, AlreadyResolvedProblem, BodyProblems, ServerProblems
    )
)]
#[post("/alerts/{id}/resolve")]
async fn alert_resolve(
    user: Scoped<AlertsWrite>,
    state: Data<AppState>,
    id: Path<AlertId>,
    body: OptionalJson<Acknowledgement>,
) -> Result<HttpResponse, Problem> {
    let note = body.0.note.as_ref();
    let alert = store::resolve(&state.db, user.owner, id.0, note, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(AlertView::from(found(alert)??)))
}
