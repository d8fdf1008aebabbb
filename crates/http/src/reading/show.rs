//! Reading what was stored: by range, the latest, and which metrics there are.

use super::{
    ReadingView,
    export::{Lines, Source, export},
};
use crate::{
    accept::wanted,
    auth::{DevicesRead, ReadingsRead, Scoped},
    conditional,
    path::Path,
    problem::{AcceptProblem, FieldError, InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::{Query, refuse_for_streams},
    state::AppState,
    view::{ListView, PageView, found, page},
};
use actix_web::{HttpRequest, HttpResponse, get, http::header, web::Data};
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

/// How readings may be asked for: as a page, or as a stream of lines. The first is the usual one.
const FORMS: [(&str, Option<Lines>); 3] = [
    ("application/json", None),
    ("application/x-ndjson", Some(Lines::Ndjson)),
    ("text/csv", Some(Lines::Csv)),
];

/// Which readings to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadingQuery {
    /// Only these metrics; repeat it for several, up to 100.
    #[serde(default)]
    #[param(max_items = 100)]
    metric: Vec<Metric>,
    /// First instant inside the range.
    #[param(value_type = Option<DateTime<Utc>>)]
    start: Option<Instant>,
    /// First instant outside the range. A stream ends at the latest with what there was when it was
    /// asked for.
    #[param(value_type = Option<DateTime<Utc>>)]
    end: Option<Instant>,
    /// Oldest or newest first.
    #[serde(default)]
    #[param(inline, value_type = Option<Order>)]
    order: Order,
    /// The `next_cursor` of the page before. Not for streams.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, i32)>>,
    /// How many readings a page has, 1 to 500. Not for streams.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<PageLimit>,
}

/// Which metrics to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LatestQuery {
    /// Only these metrics; repeat it for several, up to 100.
    #[serde(default)]
    #[param(max_items = 100)]
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
/// By time of measurement, as a page of JSON or, as the `Accept` header says, as a stream of all
/// readings in the range: `text/csv` (RFC 4180, columns `metric,recorded_at,value`) or
/// `application/x-ndjson` (the objects of a page, one a line), packed where `Accept-Encoding` allows
/// gzip. A stream that fails half way is broken off and never looks complete.
///
/// The cursor is stable: readings that arrive meanwhile neither repeat nor hide others.
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path), ReadingQuery),
    responses(
        (status = OK, content(
            (PageView<ReadingView> = "application/json"),
            (ReadingView = "application/x-ndjson"),
            (String = "text/csv", example = "metric,recorded_at,value\r\ntemperature,2026-01-31T12:00:00Z,21.50\r\n"),
        )),
        Scoped<ReadingsRead>, NotFoundProblem, AcceptProblem, InputProblems, ServerProblems,
    )
)]
#[get("/devices/{id}/readings")]
pub(super) async fn reading_list(
    user: Scoped<ReadingsRead>,
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
    let mut response = match wanted(request.headers(), &FORMS)? {
        None => {
            let cursor = cursor.map(|Cursor((at, series))| Cursor((at.get(), series)));
            let limit = (cursor, limit.unwrap_or_default());
            let readings = store::list(&state.db, user.owner, id.0, &filter, limit).await?;
            page::<_, _, ReadingView>(&request, found(readings)?)
        }
        Some(lines) => {
            let pages = [("cursor", cursor.is_some()), ("limit", limit.is_some())];
            refuse_for_streams(pages)?;
            let (owner, device) = (user.owner, id.0);
            export(&request, &state, Source { owner, device }, filter, lines).await?
        }
    };
    for (name, value) in [
        (header::VARY, "Authorization, Accept, Accept-Encoding"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ] {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The latest reading of each metric
///
/// The latest measured, not the latest arrived.
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path), LatestQuery),
    responses((status = OK, body = ListView<ReadingView>), Scoped<DevicesRead>, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/latest")]
pub(super) async fn reading_latest(
    user: Scoped<DevicesRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    query: Query<LatestQuery>,
) -> Result<HttpResponse, Problem> {
    let metrics = bounded(query.0.metric)?;
    let now = state.clock.now();
    let readings = found(store::latest(&state.db, user.owner, id.0, &metrics, now).await?)?;
    let data = readings.into_iter().map(ReadingView::from).collect();
    Ok(conditional::json(&request, &ListView { data }))
}

/// List the metrics of a device
///
/// In the order of their names, with the times of the first and the last reading of each.
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path)),
    responses((status = OK, body = ListView<MetricView>), Scoped<ReadingsRead>, NotFoundProblem, ServerProblems)
)]
#[get("/devices/{id}/metrics")]
pub(super) async fn metric_list(
    user: Scoped<ReadingsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
) -> Result<HttpResponse, Problem> {
    let metrics = found(store::metrics(&state.db, user.owner, id.0).await?)?;
    let data = metrics.into_iter().map(MetricView::from).collect();
    Ok(conditional::json(&request, &ListView { data }))
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
