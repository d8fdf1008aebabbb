//! Rollups over HTTP.

use crate::{
    auth::User,
    path::Path,
    problem::{AuthProblems, InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::Query,
    reading::require_metrics,
    state::AppState,
    view::found,
};
use actix_web::{HttpResponse, get, web::Data};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    decimal::WideDecimal,
    device::DeviceId,
    instant::Instant,
    reading::Metric,
    rollup::{Aggregates, Bucket, Interval, MetricRollup, RollupQuery},
};
use persistence::rollup as store;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

/// The zone in which days begin. Only UTC for now.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, utoipa::ToSchema)]
enum TimeZone {
    /// Coordinated universal time.
    #[default]
    #[serde(rename = "UTC")]
    Utc,
}

/// What to sum up, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RollupParameters {
    /// The metrics to sum up; repeat it for several, up to 100.
    #[serde(default)]
    #[param(required = true, example = json!(["temperature"]))]
    metric: Vec<Metric>,
    /// The width of a bucket: a number and `s`, `m`, `h` or `d`, at most `366d`.
    #[param(value_type = String, example = "1h")]
    interval: Interval,
    /// First instant inside the range; by default a day before `end`.
    #[param(value_type = Option<DateTime<Utc>>)]
    start: Option<Instant>,
    /// First instant outside the range; by default now.
    #[param(value_type = Option<DateTime<Utc>>)]
    end: Option<Instant>,
    /// Which aggregates, with commas between: avg, min, max, sum, count; by default all. `count` is
    /// always there.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "avg,min,max")]
    agg: Aggregates,
    /// The zone in which days begin.
    #[serde(default)]
    #[param(inline, value_type = Option<TimeZone>)]
    timezone: TimeZone,
}

/// Rollups of a device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Rollup)]
struct RollupView {
    device_id: DeviceId,
    #[schema(value_type = String, example = "1h")]
    interval: Interval,
    #[schema(value_type = String, example = "UTC")]
    timezone: TimeZone,
    /// First instant inside the range.
    start: DateTime<Utc>,
    /// First instant outside the range.
    end: DateTime<Utc>,
    /// One entry for each metric, in the order in which they were asked for.
    data: Vec<MetricRollupView>,
}

/// Rollups of one metric.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MetricRollup)]
struct MetricRollupView {
    metric: Metric,
    /// Buckets that have readings, oldest first.
    buckets: Vec<BucketView>,
}

/// A window of time with what was measured in it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Bucket)]
struct BucketView {
    /// First instant inside.
    start: DateTime<Utc>,
    /// First instant outside.
    end: DateTime<Utc>,
    /// Number of readings.
    #[schema(minimum = 1, example = 360)]
    count: i64,
    /// The mean, to at least 16 significant digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WideDecimal, required = false)]
    avg: Option<WideDecimal>,
    /// The smallest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WideDecimal, required = false)]
    min: Option<WideDecimal>,
    /// The largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WideDecimal, required = false)]
    max: Option<WideDecimal>,
    /// The exact sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WideDecimal, required = false)]
    sum: Option<WideDecimal>,
}

impl From<MetricRollup> for MetricRollupView {
    fn from(rollup: MetricRollup) -> Self {
        Self {
            metric: rollup.metric,
            buckets: rollup.buckets.into_iter().map(BucketView::from).collect(),
        }
    }
}

impl From<Bucket> for BucketView {
    fn from(bucket: Bucket) -> Self {
        let Bucket {
            start,
            end,
            count,
            avg,
            min,
            max,
            sum,
        } = bucket;
        Self {
            start,
            end,
            count,
            avg,
            min,
            max,
            sum,
        }
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(rollup_show);
}

/// Sum up readings by windows of time
///
/// Computed from the stored readings at the moment of asking, so never stale. Windows of a day and
/// more begin at midnight in UTC; windows are counted from 2000-01-01. Empty windows are left out,
/// and at most 11,000 are answered in all.
#[utoipa::path(
    tag = "rollups",
    params(("id" = DeviceId, Path), RollupParameters),
    responses((status = OK, body = RollupView), AuthProblems, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/rollups")]
async fn rollup_show(
    user: User,
    state: Data<AppState>,
    id: Path<DeviceId>,
    parameters: Query<RollupParameters>,
) -> Result<HttpResponse, Problem> {
    let Query(parameters) = parameters;
    let end = parameters
        .end
        .map_or_else(|| state.clock.now(), Instant::get);
    let day_before = end - TimeDelta::days(1);
    let query = RollupQuery {
        metrics: require_metrics(parameters.metric)?,
        start: parameters.start.map_or(day_before, Instant::get),
        end,
        interval: parameters.interval,
        aggregates: parameters.agg,
    }
    .check()?;
    let rollups = found(store::find(&state.db, user.owner, id.0, &query).await?)?;
    Ok(HttpResponse::Ok().json(RollupView {
        device_id: id.0,
        interval: query.interval,
        timezone: parameters.timezone,
        start: query.start,
        end: query.end,
        data: rollups.into_iter().map(MetricRollupView::from).collect(),
    }))
}
