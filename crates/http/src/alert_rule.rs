//! Alert rules over HTTP.

use crate::{
    auth::User,
    body::Json,
    path::Path,
    problem::{
        AuthProblems, BodyProblems, InputProblems, NotFoundProblem, Problem, ServerProblems,
    },
    query::Query,
    state::AppState,
    view::{PageView, found, page},
};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    alert_rule::{AlertRule, AlertRuleChange, AlertRuleId, Comparator, NewAlertRule, Severity},
    decimal::ExactDecimal,
    device::DeviceId,
    page::{Cursor, PageLimit},
    reading::Metric,
};
use persistence::alert_rule as store;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

/// A threshold rule of a device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AlertRule)]
struct AlertRuleView {
    id: AlertRuleId,
    device_id: DeviceId,
    /// What to call the rule.
    #[schema(example = "temperature gt 100")]
    name: String,
    metric: Metric,
    comparator: Comparator,
    threshold: ExactDecimal,
    severity: Severity,
    /// Whether the rule is armed.
    enabled: bool,
    /// Counts its edits, from 1.
    #[schema(minimum = 1, example = 1)]
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<AlertRule> for AlertRuleView {
    fn from(rule: AlertRule) -> Self {
        Self {
            id: rule.id,
            device_id: rule.device_id,
            name: rule.name,
            metric: rule.metric,
            comparator: rule.comparator,
            threshold: rule.threshold,
            severity: rule.severity,
            enabled: rule.enabled,
            version: rule.version,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
        }
    }
}

/// Which rules to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertRuleQuery {
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<AlertRuleId>>,
    /// How many rules a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(alert_rule_create)
        .service(alert_rule_list)
        .service(alert_rule_show)
        .service(alert_rule_update)
        .service(alert_rule_delete);
}

/// Arm a rule on a device
///
/// It judges readings that arrive from now on, by their time of measurement.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = DeviceId, Path)),
    request_body = NewAlertRule,
    responses((status = CREATED, body = AlertRuleView), AuthProblems, NotFoundProblem, BodyProblems, ServerProblems)
)]
#[post("/devices/{id}/alert-rules")]
async fn alert_rule_create(
    user: User,
    state: Data<AppState>,
    id: Path<DeviceId>,
    new: Json<NewAlertRule>,
) -> Result<HttpResponse, Problem> {
    let rule = store::insert(&state.db, user.owner, id.0, &new.0, state.clock.now()).await?;
    Ok(HttpResponse::Created().json(AlertRuleView::from(found(rule)?)))
}

/// List the rules of a device
///
/// In the order of making.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = DeviceId, Path), AlertRuleQuery),
    responses((status = OK, body = PageView<AlertRuleView>), AuthProblems, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/alert-rules")]
async fn alert_rule_list(
    user: User,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    query: Query<AlertRuleQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(AlertRuleQuery { cursor, limit }) = query;
    let rules = found(store::list(&state.db, user.owner, id.0, cursor, limit).await?)?;
    Ok(page::<_, _, AlertRuleView>(&request, rules))
}

/// Show a rule
#[utoipa::path(
    tag = "alert rules",
    params(("id" = AlertRuleId, Path)),
    responses((status = OK, body = AlertRuleView), AuthProblems, NotFoundProblem, ServerProblems)
)]
#[get("/alert-rules/{id}")]
async fn alert_rule_show(
    user: User,
    state: Data<AppState>,
    id: Path<AlertRuleId>,
) -> Result<HttpResponse, Problem> {
    let rule = found(store::find(&state.db, user.owner, id.0).await?)?;
    Ok(HttpResponse::Ok().json(AlertRuleView::from(rule)))
}

/// Edit a rule
///
/// A merge patch (RFC 7396): what is absent stays as it is. Each edit makes a new version. Where the
/// condition changes, or the rule is disarmed, its open alert ends.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = AlertRuleId, Path)),
    request_body(content((AlertRuleChange = "application/json"), (AlertRuleChange = "application/merge-patch+json"))),
    responses((status = OK, body = AlertRuleView), AuthProblems, NotFoundProblem, BodyProblems, ServerProblems)
)]
#[patch("/alert-rules/{id}")]
async fn alert_rule_update(
    user: User,
    state: Data<AppState>,
    id: Path<AlertRuleId>,
    change: Json<AlertRuleChange>,
) -> Result<HttpResponse, Problem> {
    let rule = store::update(&state.db, user.owner, id.0, &change.0, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(AlertRuleView::from(found(rule)?)))
}

/// Delete a rule
///
/// Its open alert ends; its alerts stay.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = AlertRuleId, Path)),
    responses((status = NO_CONTENT, description = "Deleted"), AuthProblems, NotFoundProblem, ServerProblems)
)]
#[delete("/alert-rules/{id}")]
async fn alert_rule_delete(
    user: User,
    state: Data<AppState>,
    id: Path<AlertRuleId>,
) -> Result<HttpResponse, Problem> {
    let deleted = store::delete(&state.db, user.owner, id.0, state.clock.now()).await?;
    found(deleted.then_some(()))?;
    Ok(HttpResponse::NoContent().finish())
}
