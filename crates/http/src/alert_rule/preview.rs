//! Trying a rule on stored readings before it is armed.

use super::condition;
use crate::{
    auth::{AlertsRead, Scoped},
    body::Json,
    compress,
    path::Path,
    problem::{BodyProblems, FieldError, NotFoundProblem, Problem, ProblemKind, ServerProblems},
    state::AppState,
    view::found,
};
use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Timestamp,
    alert::{EpisodeChange, Run, State},
    alert_rule::NewAlertRule,
    decimal::ExactDecimal,
    device::DeviceId,
    instant::Instant,
};
use persistence::alert_rule as store;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much of time there is by default before the end of a range.
const DEFAULT_RANGE: TimeDelta = TimeDelta::days(7);

/// Most readings that are judged: a year of one every ten seconds, and some more.
const MOST_READINGS: u64 = 5_000_000;

/// Most episodes that are told.
const MOST_EPISODES: usize = 10_000;

/// How long a preview waits for its turn to read a page.
const TURN: Duration = Duration::from_secs(10);

/// A rule, and the range of time to try it on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"rule": {"metric": "temperature", "comparator": "gt", "threshold": 20}}))]
struct Preview {
    /// The rule, as it would be armed.
    rule: NewAlertRule,
    /// First instant inside; by default seven days before the end.
    #[schema(value_type = Option<DateTime<Utc>>)]
    start: Option<Instant>,
    /// First instant outside; by default now.
    #[schema(value_type = Option<DateTime<Utc>>)]
    end: Option<Instant>,
}

/// What a rule would have come to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PreviewResult)]
struct PreviewView {
    device_id: DeviceId,
    /// First instant inside the range.
    start: DateTime<Utc>,
    /// First instant outside the range.
    end: DateTime<Utc>,
    /// How many readings were judged.
    #[schema(minimum = 0, example = 51_840)]
    readings: u64,
    /// Whether the range was not judged to its end, since there are more than 10,000 episodes or 5,000,000 readings.
    truncated: bool,
    /// The alerts that it would have opened, oldest first.
    episodes: Vec<EpisodeView>,
}

/// A stretch of time in which a rule would have fired.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Episode)]
struct EpisodeView {
    /// Time of measurement of the reading since which the condition held.
    pending_since: DateTime<Utc>,
    /// Time of measurement of the reading at which it had held long enough.
    triggered_at: DateTime<Utc>,
    /// Time of measurement of the reading that ended it; null where it goes on.
    #[schema(required = true)]
    resolved_at: Option<DateTime<Utc>>,
    /// The value that opened it.
    value: ExactDecimal,
    /// The worst value from the first breach on.
    peak_value: ExactDecimal,
    /// When the worst value was first measured.
    peak_at: DateTime<Utc>,
}

impl From<EpisodeChange> for EpisodeView {
    fn from(it: EpisodeChange) -> Self {
        Self {
            pending_since: it.episode.began.at,
            triggered_at: it.episode.triggered.at,
            resolved_at: it.resolved.map(|by| by.at),
            value: it.episode.triggered.value,
            peak_value: it.episode.peak.value,
            peak_at: it.episode.peak.at,
        }
    }
}

/// Try a rule on stored readings
///
/// Answers the alerts that the rule would have opened, had it been armed before `start`: the same that it opens when
/// it judges these readings as they arrive. Nothing is stored. What happens when data stops is not part of it.
#[utoipa::path(
    tag = "alert rules",
    params(("id" = DeviceId, Path)),
    request_body = Preview,
    responses((status = OK, body = PreviewView), Scoped<AlertsRead>, NotFoundProblem, BodyProblems, ServerProblems)
)]
#[post("/devices/{id}/alert-rules/preview")]
pub(super) async fn alert_rule_preview(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    preview: Json<Preview>,
) -> Result<HttpResponse, Problem> {
    let Json(Preview { rule, start, end }) = preview;
    let condition = condition(&rule, "/rule")?;
    let range = range(start, end, state.clock.now())?;
    let series = store::preview_series(&state.db, user.owner, id.0, &rule.metric);
    let series = found(series.await?)?;
    let (mut run, mut readings, mut next) = (Run::new(&condition, State::Ok), 0, Some(range.0));
    // A page at a time, so that a year of readings takes no more memory than a day.
    while let Some(from) = next
        && run.episodes() <= MOST_EPISODES
        && readings < MOST_READINGS
    {
        let page = page(&state, series, (from, range.1)).await?;
        readings += page.0.len() as u64;
        for it in page.0 {
            run.step(it);
        }
        run.forget_transitions();
        next = page.1;
    }
    let mut episodes = run.into_episodes();
    let truncated = next.is_some() || episodes.len() > MOST_EPISODES;
    episodes.truncate(MOST_EPISODES);
    let response = HttpResponse::Ok().json(PreviewView {
        device_id: id.0,
        start: range.0,
        end: range.1,
        readings,
        truncated,
        episodes: episodes.into_iter().map(EpisodeView::from).collect(),
    });
    Ok(compress::plain(request.headers(), response))
}

type ReadPage = (Vec<domain::alert::Measured>, Option<Timestamp>);

/// Pages take turns with other questions that take long, so that these leave a connection and a core to everyone.
async fn page(
    state: &AppState,
    series: store::PreviewSeries,
    range: (Timestamp, Timestamp),
) -> Result<ReadPage, Problem> {
    let turn = tokio::time::timeout(TURN, state.heavy_rollups.acquire()).await;
    let _turn = turn.map_err(|_| {
        let detail = "Others ask questions that take long: try again later.";
        Problem::with_detail(ProblemKind::QueryTimeout, detail)
    })?;
    Ok(store::preview_page(&state.db, series, range).await?)
}

fn range(
    start: Option<Instant>,
    end: Option<Instant>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Problem> {
    let end = end.map_or(now, Instant::get);
    let start = start.map_or(end - DEFAULT_RANGE, Instant::get);
    if start < end {
        return Ok((start, end));
    }
    Err(Problem::invalid(FieldError::at_pointer(
        "/start".to_owned(),
        "empty_range",
        "must be before end".to_owned(),
    )))
}
