//! Whether the service lives, whether it can work, and figures of how it does.

use crate::{
    compress,
    problem::{Problem, ProblemKind, ServerProblems},
    state::AppState,
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use persistence::health;
use serde::Serialize;
use std::time::Duration;
use utoipa_actix_web::service_config::ServiceConfig;

/// How long the database may take to answer before the service says that it cannot work.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the service is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Health)]
struct HealthView {
    /// `live` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(health_live)
        .service(health_ready)
        .service(metrics_show);
}

/// Is the process alive?
///
/// Asks nothing of the database: a process that lives is not to be restarted for an outage elsewhere.
#[utoipa::path(tag = "operations", security(()), responses((status = OK, body = HealthView)))]
#[get("/health/live")]
async fn health_live() -> HttpResponse {
    HttpResponse::Ok().json(HealthView { status: "live" })
}

/// Can it work?
///
/// Ready means: not going down, the database answers within a second, it has every migration, and there are keys
/// to sign access tokens with.
#[utoipa::path(tag = "operations", security(()), responses((status = OK, body = HealthView), ServerProblems))]
#[get("/health/ready")]
async fn health_ready(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let refused = |detail: String| Problem::with_detail(ProblemKind::Unavailable, detail);
    if state.is_stopping() {
        return Err(refused("The service is going down.".to_owned()));
    }
    // It goes on in its task, since database work is never dropped half way.
    let checked = actix_web::rt::spawn(check(state));
    match tokio::time::timeout(PATIENCE, checked).await {
        Ok(Ok(Ok(()))) => Ok(HttpResponse::Ok().json(HealthView { status: "ready" })),
        Ok(Ok(Err(problem))) => Err(problem),
        Ok(Err(_)) | Err(_) => Err(refused(
            "The database does not answer within a second.".to_owned(),
        )),
    }
}

/// Asks the database, once whether it has every migration and from then on whether it answers.
async fn check(state: Data<AppState>) -> Result<(), Problem> {
    let unreachable = || {
        let detail = "The database cannot be reached.".to_owned();
        Problem::with_detail(ProblemKind::Unavailable, detail)
    };
    let no_keys = || {
        let detail = "There are no keys to sign access tokens with.".to_owned();
        Problem::with_detail(ProblemKind::Unavailable, detail)
    };
    if state.is_migrated() {
        let checked = state.ingest.check(state.clock.now()).await;
        return checked.map_err(|error| unreachable().because(error));
    }
    let missing = health::missing_migrations(&state.db, &state.migrations).await;
    match missing.map_err(|error| unreachable().because(error))?.len() {
        0 => {
            let keys = state.tokens.keys.refresh(state.clock.now()).await;
            keys.map_err(|error| no_keys().because(error))?;
            state.found_migrated();
            Ok(())
        }
        n => Err(Problem::with_detail(
            ProblemKind::Unavailable,
            format!("The database lacks {n} migrations: run `readout migrate up`."),
        )),
    }
}

/// Figures for Prometheus
///
/// Of this instance alone: requests, queues, transactions, connections.
#[utoipa::path(
    tag = "operations",
    security(()),
    responses((status = OK, body = String, content_type = "text/plain", description = "Prometheus text format"))
)]
#[get("/metrics")]
async fn metrics_show(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    state.db.record_metrics();
    state.ingest.record_metrics();
    let response = HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render());
    compress::plain(request.headers(), response)
}
