//! Why readings are not stored: noted while they are posted, and told to the device's owner.

use crate::{
    auth::{ReadingsRead, Scoped},
    conditional,
    path::Path,
    problem::{NotFoundProblem, Problem, ServerProblems},
    state::AppState,
    view::{ListView, found},
};
use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{Timestamp, device::DeviceId, reading::ReadingError, rejection::Rejection};
use persistence::rejection::{self as store, Refused};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// What a device was refused for one reason, all times taken together.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Rejection)]
struct RejectionView {
    /// The stable word for the reason, as the device was told.
    #[schema(example = "invalid_value")]
    code: String,
    /// Readings that were refused for it, or requests where it is about a whole request.
    #[schema(minimum = 1, example = 42)]
    count: u64,
    /// When it first happened.
    first_seen_at: DateTime<Utc>,
    /// When it last happened.
    last_seen_at: DateTime<Utc>,
    /// What the device was told the last time.
    #[schema(max_length = 300, example = "value must be a JSON number")]
    detail: String,
    /// The beginning of what it sent the last time, on one line and without device keys; null where
    /// that is not known.
    #[schema(required = true, max_length = 200, example = json!(r#"{"metric":"humidity","value":"wet"}"#))]
    sample: Option<String>,
}

impl From<Rejection> for RejectionView {
    fn from(rejection: Rejection) -> Self {
        let Rejection {
            code,
            count,
            first_seen_at,
            last_seen_at,
            detail,
            sample,
        } = rejection;
        Self {
            code,
            count,
            first_seen_at,
            last_seen_at,
            detail,
            sample,
        }
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(rejection_list);
}

/// Why is my data missing?
///
/// What this device was refused, the latest first: one entry for each `code`, counted for as long as the
/// device exists. It is written once a second, so it may be a second late, or half a minute after
/// the database was away; what was not yet written is lost with a crash. The sample is that of the
/// last time, cut at 200 characters, with device keys masked as `rdk_…`. A request without a key that
/// a device has is nobody's, and not here.
#[utoipa::path(
    tag = "readings",
    params(("id" = DeviceId, Path)),
    responses((status = OK, body = ListView<RejectionView>), Scoped<ReadingsRead>, NotFoundProblem, ServerProblems)
)]
#[get("/devices/{id}/rejections")]
async fn rejection_list(
    user: Scoped<ReadingsRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
) -> Result<HttpResponse, Problem> {
    let rejections = found(store::list(&state.db, user.owner, id.0).await?)?;
    let data = rejections.into_iter().map(RejectionView::from).collect();
    Ok(conditional::json(&request, &ListView { data }))
}

/// Notes the readings of a request that were refused, each with its JSON text where that is known.
pub(crate) fn note_readings<'a>(
    state: &AppState,
    device: DeviceId,
    refused: impl IntoIterator<Item = (&'a ReadingError, Option<&'a str>)>,
    now: Timestamp,
) {
    // There are fewer reasons than fingers, and up to 10,000 readings.
    let mut reasons: Vec<(u64, &ReadingError, Option<&str>)> = Vec::new();
    for (error, sample) in refused {
        match reasons
            .iter_mut()
            .find(|(_, known, _)| known.code() == error.code())
        {
            Some(reason) => *reason = (reason.0 + 1, error, sample),
            None => reasons.push((1, error, sample)),
        }
    }
    for (count, error, sample) in reasons {
        let refused = Refused {
            code: error.code(),
            detail: error,
            sample,
            count,
        };
        state.rejections.note(device, refused, now);
    }
}

/// Notes a request that was refused as a whole, with the beginning of its body where that is known.
pub(crate) fn note_request(
    state: &AppState,
    device: DeviceId,
    problem: &Problem,
    sample: Option<&str>,
    now: Timestamp,
) {
    let refused = Refused {
        code: problem.kind().code(),
        detail: &problem.detail(),
        sample,
        count: 1,
    };
    state.rejections.note(device, refused, now);
}
