//! When a device went online and offline.

use crate::{
    auth::{DevicesRead, Scoped},
    path::Path,
    problem::{InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::Query,
    state::AppState,
    view::{PageView, found, page},
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    device::{DeviceId, DeviceStatus, StatusChange},
    page::{Cursor, PageLimit},
};
use persistence::device as store;
use serde::{Deserialize, Serialize};

/// A change of a device's status.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StatusChange)]
struct StatusChangeView {
    /// The status since then.
    status: DeviceStatus,
    /// When a reading arrived, or when there had been none for `offline_after`.
    at: DateTime<Utc>,
}

impl From<StatusChange> for StatusChangeView {
    fn from(StatusChange { status, at }: StatusChange) -> Self {
        Self { status, at }
    }
}

/// Which changes to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatusQuery {
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
    /// How many changes a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

/// List when a device went online and offline
///
/// Latest first. Of a device that has never posted a reading there is none.
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path), StatusQuery),
    responses((status = OK, body = PageView<StatusChangeView>), Scoped<DevicesRead>, NotFoundProblem, InputProblems, ServerProblems)
)]
#[get("/devices/{id}/status-history")]
pub(super) async fn device_status_history(
    user: Scoped<DevicesRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    query: Query<StatusQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(StatusQuery { cursor, limit }) = query;
    let changes = found(store::status_history(&state.db, user.owner, id.0, cursor, limit).await?)?;
    Ok(page::<_, _, StatusChangeView>(&request, changes))
}
