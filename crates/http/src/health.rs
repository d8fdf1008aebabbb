//! Whether the service lives, whether it can work, and figures of how it does.

use crate::{
    problem::{Problem, ProblemKind, ServerProblems},
    state::AppState,
};
use actix_web::{HttpResponse, get, web::Data};
use persistence::health;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
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
/// Ready means: not going down, the database answers within a second, and it has every migration.
#[utoipa::path(tag = "operations", security(()), responses((status = OK, body = HealthView), ServerProblems))]
#[get("/health/ready")]
async fn health_ready(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let refused = |detail: String| Problem::with_detail(ProblemKind::Unavailable, detail);
    if state.is_stopping() {
        return Err(refused("The service is going down.".to_owned()));
    }
    // The query goes on in its task, since database work is never dropped half way.
    let (db, known) = (state.db.clone(), Arc::clone(&state.migrations));
    let missing =
        actix_web::rt::spawn(async move { health::missing_migrations(&db, &known).await });
    let missing = match tokio::time::timeout(PATIENCE, missing).await {
        Ok(Ok(Ok(missing))) => missing,
        Ok(Ok(Err(error))) => {
            return Err(refused("The database cannot be reached.".to_owned()).because(error));
        }
        Ok(Err(_)) | Err(_) => {
            return Err(refused(
                "The database does not answer within a second.".to_owned(),
            ));
        }
    };
    match missing.len() {
        0 => Ok(HttpResponse::Ok().json(HealthView { status: "ready" })),
        n => Err(refused(format!(
            "The database lacks {n} migrations: run `readout migrate up`."
        ))),
    }
}

/// Figures for Prometheus
#[utoipa::path(
    tag = "operations",
    security(()),
    responses((status = OK, body = String, content_type = "text/plain", description = "Prometheus text format"))
)]
#[get("/metrics")]
async fn metrics_show(state: Data<AppState>) -> HttpResponse {
    state.db.record_metrics();
    state.ingest.record_metrics();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render())
}
