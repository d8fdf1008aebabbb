//! Reading what was stored: by range, the latest, and which metrics there are.

use super::ReadingView;
use crate::{
    auth::User,
    path::Path,
    problem::{AuthProblems, FieldError, InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::Query,
    state::AppState,
    view::{ListView, PageView, found, page},
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    device::DeviceId,
    instant::Instant,
    page::{Cursor, Order, PageLimit},
    reading::{Metric, MetricSummary, TimeRange},
};
use persistence::reading::{self as store, ReadingFilter};
use serde::{Deserialize, Serialize};

/// Most metrics that one request may name.
const MAX_METRICS: usize = 100;

/// Which readings to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadingQuery {
    /// Only these metrics; repeat it for several.
    #[serde(default)]
    metric: Vec<Metric>,
    /// First instant inside the range.
    #[param(value_type = Option<DateTime<Utc>>)]
    start: Option<Instant>,
    /// First instant outside the range.
    #[param(value_type = Option<DateTime<Utc>>)]
    end: Option<Instant>,
    /// Oldest or newest first.
    #[serde(default)]
    #[param(inline, value_type = Option<Order>)]
    order: Order,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, i32)>>,
    /// How many readings a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

/// Which metrics to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LatestQuery {
    /// Only these metrics; repeat it for several.
    #[serde(default)]
    metric: Vec<Metric>,
}

/// A metric that a device has readings of.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MetricSummary)]
pub(super) struct MetricView {
    metric: Metric,
    /// When it was first measured.
    first_recorded_at: DateTime<Utc>,
    /// When it was last measured.
    last_recorded_at: DateTime<Utc>,
}

impl From<MetricSummary> for MetricView {
    fn from(summary: MetricSummary) -> Self {
        let MetricSummary {
            metric,
            first_recorded_at,
            last_recorded_at,
        } = summary;
        Self {
            metric,
            first_recorded_at,
            last_recorded_at,
        }
    }
}

/// List readings
///
/// By time of measurement. The cursor is stable: readings that arrive meanwhile neither repeat nor
/// hide others.
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path), ReadingQuery),
    responses((status = OK, body = PageView<ReadingView>), AuthProblems, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/readings")]
pub(super) async fn reading_list(
    user: User,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    query: Query<ReadingQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(ReadingQuery {
        metric,
        start,
        end,
        order,
        cursor,
        limit,
    }) = query;
    let filter = ReadingFilter {
        metrics: bounded(metric)?,
        range: TimeRange {
            start: start.map(Instant::get),
            end: end.map(Instant::get),
        },
        order,
    };
    let cursor = cursor.map(|Cursor((at, series))| Cursor((at.get(), series)));
    let readings = store::list(&state.db, user.owner, id.0, &filter, (cursor, limit)).await?;
    Ok(page::<_, _, ReadingView>(&request, found(readings)?))
}

/// The latest reading of each metric
///
/// The latest measured, not the latest arrived.
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path), LatestQuery),
    responses((status = OK, body = ListView<ReadingView>), AuthProblems, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/latest")]
pub(super) async fn reading_latest(
    user: User,
    state: Data<AppState>,
    id: Path<DeviceId>,
    query: Query<LatestQuery>,
) -> Result<HttpResponse, Problem> {
    let metrics = bounded(query.0.metric)?;
    let now = state.clock.now();
    let readings = found(store::latest(&state.db, user.owner, id.0, &metrics, now).await?)?;
    let data = readings.into_iter().map(ReadingView::from).collect();
    Ok(HttpResponse::Ok().json(ListView { data }))
}

/// List the metrics of a device
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path)),
    responses((status = OK, body = ListView<MetricView>), AuthProblems, NotFoundProblem, ServerProblems)
)]
#[get("/devices/{id}/metrics")]
pub(super) async fn metric_list(
    user: User,
    state: Data<AppState>,
    id: Path<DeviceId>,
) -> Result<HttpResponse, Problem> {
    let metrics = found(store::metrics(&state.db, user.owner, id.0).await?)?;
    let data = metrics.into_iter().map(MetricView::from).collect();
    Ok(HttpResponse::Ok().json(ListView { data }))
}

/// Refuses a question that names no metric, or too many.
pub(crate) fn require_metrics(metrics: Vec<Metric>) -> Result<Vec<Metric>, Problem> {
    if metrics.is_empty() {
        let error =
            FieldError::at_parameter("metric", "missing_parameter", "is missing".to_owned());
        return Err(Problem::invalid(error));
    }
    bounded(metrics)
}

fn bounded(metrics: Vec<Metric>) -> Result<Vec<Metric>, Problem> {
    if metrics.len() > MAX_METRICS {
        let detail = format!("may be named at most {MAX_METRICS} times");
        return Err(Problem::invalid(FieldError::at_parameter(
            "metric",
            "invalid_value",
            detail,
        )));
    }
    Ok(metrics)
}
