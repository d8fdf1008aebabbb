//! Alert rules over HTTP.

mod condition;
mod fleet;
mod preview;
mod view;

use crate::{
    auth::{AlertsRead, AlertsWrite, Scoped},
    body::Json,
    conditional::{self, KnownVersion, Precondition},
    idempotency::{Claim, IdempotencyHeader, Idempotent, Vault, once},
    path::Path,
    problem::{
        BodyProblems, ConditionProblems, InputProblems, NotFoundProblem, OnceProblems, Problem,
        ServerProblems, VersionProblem,
    },
    query::Query,
    state::AppState,
    view::{PageView, found, locate, page},
};
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, delete, get, patch, post, web::Data,
};
use condition::{condition, wrong_selector};
use domain::{
    alert_rule::{AlertRule, AlertRuleChange, AlertRuleId, NewAlertRule, Target},
    device::DeviceId,
    page::{Cursor, PageLimit},
};
use fleet::NewFleetRule;
use persistence::{
    alert_rule::{self as store, AlertRuleFilter},
    idempotency::Once,
};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use view::AlertRuleView;

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

/// Which rules to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AllRulesQuery {
    /// Only rules that watch this device, by themselves or with its fleet.
    device_id: Option<DeviceId>,
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
        .service(alert_rule_create_for_fleet)
        .service(preview::alert_rule_preview)
        .service(alert_rule_list)
        .service(alert_rule_list_all)
        .service(alert_rule_show)
        .service(alert_rule_update)
        .service(alert_rule_delete);
}

/// Arm a rule on a device
///
/// It judges readings that arrive from now on, by their time of measurement.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = DeviceId, Path), IdempotencyHeader),
    request_body = NewAlertRule,
    responses((status = CREATED, body = AlertRuleView), Scoped<AlertsWrite>, NotFoundProblem, OnceProblems, ServerProblems)
)]
#[post("/devices/{id}/alert-rules")]
async fn alert_rule_create(
    user: Scoped<AlertsWrite>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    new: Idempotent<Json<NewAlertRule>>,
) -> Result<HttpResponse, Problem> {
    let new = (new.body.0, new.claim);
    create(&user, (&request, &state), Target::Device(id.0), new).await
}

/// Arm a rule on a fleet
///
/// It watches all devices that have the tags of `selector`, also those that get them later, and has at most one
/// open alert for each device.
#[utoipa::path(
    tag = "alert rules",
    params(IdempotencyHeader),
    request_body = NewFleetRule,
    responses((status = CREATED, body = AlertRuleView), Scoped<AlertsWrite>, OnceProblems, ServerProblems)
)]
#[post("/alert-rules")]
async fn alert_rule_create_for_fleet(
    user: Scoped<AlertsWrite>,
    request: HttpRequest,
    state: Data<AppState>,
    new: Idempotent<Json<NewAlertRule>>,
) -> Result<HttpResponse, Problem> {
    let (Json(mut new), claim) = (new.body, new.claim);
    let selector = new.selector.take().ok_or_else(|| {
        wrong_selector(
            "",
            "missing_field",
            "is missing: a rule of one device is made under the device",
        )
    })?;
    create(
        &user,
        (&request, &state),
        Target::Fleet(selector),
        (new, claim),
    )
    .await
}

async fn create(
    user: &Scoped<AlertsWrite>,
    (request, state): (&HttpRequest, &AppState),
    target: Target,
    (new, claim): (NewAlertRule, Option<Claim>),
) -> Result<HttpResponse, Problem> {
    let (new, now) = ((&new, condition(&new, "")?), state.clock.now());
    let vault = Vault::new(state, user.owner, claim.as_ref());
    let answer = |rule: &AlertRule| {
        let mut response = tagged(request, HttpResponse::Created(), rule.clone());
        locate(&mut response, &format!("/alert-rules/{}", rule.id));
        response
    };
    let work = async |once: &Once<'_, AlertRule>| {
        store::insert(&state.db, user.owner, &target, new, once, now).await
    };
    once(&vault, answer, work, |rule| Ok(found(rule)??)).await
}

/// Answers a rule that was made or edited, with the tag that it has from now on.
fn tagged(
    request: &HttpRequest,
    mut response: HttpResponseBuilder,
    rule: AlertRule,
) -> HttpResponse {
    let (version, view) = (rule.version, AlertRuleView::from(rule));
    let mut response = response.json(&view);
    conditional::mark(&mut response, request.headers(), version, &view);
    response
}

/// List the rules of a device
///
/// Those of its own and those of its fleets, in the order of making.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = DeviceId, Path), AlertRuleQuery),
    responses((status = OK, body = PageView<AlertRuleView>), Scoped<AlertsRead>, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/alert-rules")]
async fn alert_rule_list(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    query: Query<AlertRuleQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(AlertRuleQuery { cursor, limit }) = query;
    let filter = AlertRuleFilter {
        device_id: Some(id.0),
    };
    let rules = found(store::list(&state.db, user.owner, filter, cursor, limit).await?)?;
    Ok(page::<_, _, AlertRuleView>(&request, rules))
}

/// List rules
///
/// Of all devices and fleets, in the order of making.
#[utoipa::path(
    tag = "alert rules",
    params(AllRulesQuery),
    responses((status = OK, body = PageView<AlertRuleView>), Scoped<AlertsRead>, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/alert-rules")]
async fn alert_rule_list_all(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    query: Query<AllRulesQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(AllRulesQuery {
        device_id,
        cursor,
        limit,
    }) = query;
    let filter = AlertRuleFilter { device_id };
    let rules = found(store::list(&state.db, user.owner, filter, cursor, limit).await?)?;
    Ok(page::<_, _, AlertRuleView>(&request, rules))
}

/// Show a rule
///
/// As it is now, with the number of its edits in `version`.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = AlertRuleId, Path)),
    responses((status = OK, body = AlertRuleView), Scoped<AlertsRead>, NotFoundProblem, ServerProblems)
)]
#[get("/alert-rules/{id}")]
async fn alert_rule_show(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<AlertRuleId>,
) -> Result<HttpResponse, Problem> {
    let rule = found(store::find(&state.db, user.owner, id.0).await?)?;
    let (version, view) = (rule.version, AlertRuleView::from(rule));
    Ok(conditional::versioned(&request, version, &view))
}

/// Edit a rule
///
/// A merge patch (RFC 7396): what is absent stays as it is, and null stands for what a rule is made with. Each edit
/// makes a new version, and an alert goes on citing the version by which it fired. With `If-Match` it is made only
/// where the rule is still what was seen: so no condition comes about that nobody has written. Where the condition or the
/// selector changes, or the rule is disarmed, its open alerts end.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = AlertRuleId, Path), KnownVersion),
    request_body(content((AlertRuleChange = "application/json"), (AlertRuleChange = "application/merge-patch+json"))),
    responses(
        (status = OK, body = AlertRuleView),
        Scoped<AlertsWrite>, NotFoundProblem, VersionProblem, BodyProblems, ServerProblems
    )
)]
#[patch("/alert-rules/{id}")]
async fn alert_rule_update(
    user: Scoped<AlertsWrite>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<AlertRuleId>,
    precondition: Precondition,
    change: Json<AlertRuleChange>,
) -> Result<HttpResponse, Problem> {
    let change = (&change.0, precondition.expected());
    let rule = store::update(&state.db, user.owner, id.0, change, state.clock.now()).await?;
    Ok(tagged(&request, HttpResponse::Ok(), found(rule)??))
}

/// Delete a rule
///
/// Its open alerts end; its alerts stay.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = AlertRuleId, Path), KnownVersion),
    responses(
        (status = NO_CONTENT, description = "Deleted"),
        Scoped<AlertsWrite>, NotFoundProblem, ConditionProblems, ServerProblems
    )
)]
#[delete("/alert-rules/{id}")]
async fn alert_rule_delete(
    user: Scoped<AlertsWrite>,
    state: Data<AppState>,
    id: Path<AlertRuleId>,
    precondition: Precondition,
) -> Result<HttpResponse, Problem> {
    let expected = precondition.expected();
    let deleted = store::delete(&state.db, user.owner, id.0, expected, state.clock.now()).await?;
    found(deleted)??;
    Ok(HttpResponse::NoContent().finish())
}
