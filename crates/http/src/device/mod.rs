//! Devices over HTTP.

mod status;

use crate::{
    auth::{DevicesRead, DevicesWrite, Scoped},
    body::Json,
    path::Path,
    problem::{BodyProblems, InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::Query,
    state::{AppState, random_bits},
    view::{PageView, found, page, secret},
};
use actix_web::{HttpRequest, HttpResponse, delete, get, http::StatusCode, patch, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    device::{
        Device, DeviceChange, DeviceId, DeviceKey, DeviceStatus, Metadata, NewDevice, TagFilters,
        Tags,
    },
    duration::Duration,
    page::{Cursor, PageLimit},
    user::{DisplayName, DisplayNameError},
};
use persistence::device::{self as store, DeviceFilter};
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

/// A device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Device)]
struct DeviceView {
    id: DeviceId,
    name: DisplayName,
    /// The first characters of its key, to tell keys apart by.
    #[schema(example = "rdk_7Qk4bJ")]
    key_prefix: String,
    status: DeviceStatus,
    /// A disabled device keeps its data, and its readings are refused with 403.
    enabled: bool,
    /// When it last posted a reading; moves at most once a second.
    #[schema(required = true)]
    last_seen_at: Option<DateTime<Utc>>,
    metadata: Metadata,
    tags: Tags,
    /// Silence after which it counts as offline.
    #[schema(pattern = "^[1-9][0-9]*[smhd]$", example = "10m")]
    offline_after: Duration,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        Self {
            id: device.id,
            name: device.name,
            key_prefix: device.key_prefix,
            status: device.status,
            enabled: device.enabled,
            last_seen_at: device.last_seen_at,
            metadata: device.metadata,
            tags: device.tags,
            offline_after: device.offline_after,
            created_at: device.created_at,
            updated_at: device.updated_at,
        }
    }
}

/// A device that was provisioned just now, with its key.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ProvisionedDevice)]
struct ProvisionedDeviceView {
    #[serde(flatten)]
    device: DeviceView,
    /// What the device authenticates with. It is shown here once and never again.
    #[schema(example = "rdk_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    device_key: String,
}

/// Which devices to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeviceQuery {
    /// Only devices with this status.
    status: Option<DeviceStatus>,
    /// Only devices whose name contains this text, in upper or lower case.
    #[param(value_type = Option<String>, max_length = 100)]
    search: Option<Search>,
    /// Only devices with this tag: `site:north`, or `site` for one of any value; repeat it for several,
    /// all of which they must have.
    #[serde(default)]
    #[param(value_type = Vec<String>, required = false, max_items = 32, example = json!(["site:north"]))]
    tag: TagFilters,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<DeviceId>>,
    /// How many devices a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

/// A text to look for; an empty one, as an empty search box sends it, is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Search(Option<String>);

impl Search {
    pub(crate) fn get(self) -> Option<String> {
        self.0
    }
}

impl TryFrom<String> for Search {
    type Error = DisplayNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        DisplayName::try_from(text).map(|name| Self(Some(name.into())))
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(device_create)
        .service(device_list)
        .service(device_show)
        .service(status::device_status_history)
        .service(device_update)
        .service(device_delete);
}

/// Provision a device
///
/// The key in the answer is shown once and never again.
#[utoipa::path(
    tag = "devices",
    request_body = NewDevice,
    responses((status = CREATED, body = ProvisionedDeviceView), Scoped<DevicesWrite>, BodyProblems, ServerProblems)
)]
#[post("/devices")]
async fn device_create(
    user: Scoped<DevicesWrite>,
    state: Data<AppState>,
    new: Json<NewDevice>,
) -> Result<HttpResponse, Problem> {
    let key = DeviceKey::new(random_bits()?);
    let device = store::insert(&state.db, user.owner, &new.0, &key, state.clock.now()).await?;
    let answer = ProvisionedDeviceView {
        device: device.into(),
        device_key: key.reveal().to_owned(),
    };
    Ok(secret(StatusCode::CREATED, &answer))
}

/// List devices
///
/// In the order of provisioning.
#[utoipa::path(
    tag = "devices",
    params(DeviceQuery),
    responses((status = OK, body = PageView<DeviceView>), Scoped<DevicesRead>, InputProblems, ServerProblems)
)]
#[get("/devices")]
async fn device_list(
    user: Scoped<DevicesRead>,
    request: HttpRequest,
    state: Data<AppState>,
    query: Query<DeviceQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(DeviceQuery {
        status,
        search,
        tag,
        cursor,
        limit,
    }) = query;
    let filter = DeviceFilter {
        status,
        search: search.and_then(Search::get),
        tags: tag,
    };
    let devices = store::list(&state.db, user.owner, &filter, cursor, limit).await?;
    Ok(page::<_, _, DeviceView>(&request, devices))
}

/// Show a device
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path)),
    responses((status = OK, body = DeviceView), Scoped<DevicesRead>, NotFoundProblem, ServerProblems)
)]
#[get("/devices/{id}")]
async fn device_show(
    user: Scoped<DevicesRead>,
    state: Data<AppState>,
    id: Path<DeviceId>,
) -> Result<HttpResponse, Problem> {
    let device = found(store::find(&state.db, user.owner, id.0).await?)?;
    Ok(HttpResponse::Ok().json(DeviceView::from(device)))
}

/// Change a device's settings
///
/// A merge patch (RFC 7396): what is absent stays as it is.
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path)),
    request_body(content((DeviceChange = "application/json"), (DeviceChange = "application/merge-patch+json"))),
    responses((status = OK, body = DeviceView), Scoped<DevicesWrite>, NotFoundProblem, BodyProblems, ServerProblems)
)]
#[patch("/devices/{id}")]
async fn device_update(
    user: Scoped<DevicesWrite>,
    state: Data<AppState>,
    id: Path<DeviceId>,
    change: Json<DeviceChange>,
) -> Result<HttpResponse, Problem> {
    let device = store::update(&state.db, user.owner, id.0, &change.0, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(DeviceView::from(found(device)??)))
}

/// Delete a device with all its data
///
/// It is gone for every reader at once, and its key is no longer good.
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path)),
    responses((status = NO_CONTENT, description = "Deleted"), Scoped<DevicesWrite>, NotFoundProblem, ServerProblems)
)]
#[delete("/devices/{id}")]
async fn device_delete(
    user: Scoped<DevicesWrite>,
    state: Data<AppState>,
    id: Path<DeviceId>,
) -> Result<HttpResponse, Problem> {
    let deleted = store::delete(&state.db, user.owner, id.0, state.clock.now()).await?;
    found(deleted.then_some(()))?;
    Ok(HttpResponse::NoContent().finish())
}
