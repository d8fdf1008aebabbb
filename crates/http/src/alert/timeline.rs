//! What happened to an alert.

use crate::{
    auth::{AlertsRead, Scoped},
    path::Path,
    problem::{InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::Query,
    state::AppState,
    view::{PageView, found, page},
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    alert::{AlertId, Phase, TimelineEntry, TransitionCause},
    decimal::ExactDecimal,
    instant::Instant,
    page::{Cursor, PageLimit},
};
use persistence::alert as store;
use serde::{Deserialize, Serialize};

/// Something that happened to an alert.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineEntry)]
struct TimelineEntryView {
    /// Time of measurement of the reading that caused it, or when it was caused otherwise.
    at: DateTime<Utc>,
    /// The phase before.
    from: Phase,
    /// The phase after; the alert is over when it is `ok`.
    to: Phase,
    cause: TransitionCause,
    /// The value of the reading that caused it; null where something else did.
    #[schema(required = true)]
    value: Option<ExactDecimal>,
    /// What that value was compared with; null where any would have done.
    #[schema(required = true)]
    threshold: Option<ExactDecimal>,
    /// The version of the rule by which it happened.
    #[schema(minimum = 1, example = 1)]
    rule_version: i32,
}

impl From<TimelineEntry> for TimelineEntryView {
    fn from(entry: TimelineEntry) -> Self {
        Self {
            at: entry.at,
            from: entry.from,
            to: entry.to,
            cause: entry.cause,
            value: entry.value,
            threshold: entry.threshold,
            rule_version: entry.rule_version,
        }
    }
}

/// Which part of a timeline to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TimelineQuery {
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, i64)>>,
    /// How many entries a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

/// Show what happened to an alert
///
/// In order, from the breach that it began with. A reading that arrives late, but inside the lateness window,
/// may change what happened.
#[utoipa::path(
    tag = "alerts",
    params(("id" = AlertId, Path), TimelineQuery),
    responses((status = OK, body = PageView<TimelineEntryView>), Scoped<AlertsRead>, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/alerts/{id}/timeline")]
pub(super) async fn alert_timeline(
    user: Scoped<AlertsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<AlertId>,
    query: Query<TimelineQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(TimelineQuery { cursor, limit }) = query;
    let cursor = cursor.map(|Cursor((at, id))| Cursor((at.get(), id)));
    let entries = found(store::timeline(&state.db, user.owner, id.0, cursor, limit).await?)?;
    Ok(page::<_, _, TimelineEntryView>(&request, entries))
}
