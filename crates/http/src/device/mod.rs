//! Devices over HTTP.

mod bulk;
mod export;
mod sheet;
mod status;
mod view;

use crate::{
    accept::wanted,
    auth::{DevicesRead, DevicesWrite, Scoped},
    body::Json,
    conditional::{self, KnownVersion, Precondition},
    idempotency::{IdempotencyHeader, Idempotent, Vault, once},
    path::Path,
    problem::{
        AcceptProblem, BodyProblems, ConditionProblems, EditProblems, InputProblems,
        NotFoundProblem, OnceProblems, Problem, ServerProblems,
    },
    query::{Query, refuse_for_streams},
    state::{AppState, random_bits},
    view::{PageView, found, locate, page, secret},
};
use actix_web::{
    HttpRequest, HttpResponse, delete, get,
    http::{
        StatusCode,
        header::{HeaderValue, VARY},
    },
    patch, post,
    web::Data,
};
use domain::{
    device::{
        Device, DeviceChange, DeviceId, DeviceKey, DeviceStatus, NewDevice, TagFilter, TagFilters,
    },
    page::{Cursor, PageLimit},
    user::{DisplayName, DisplayNameError},
};
use persistence::{
    device::{self as store, DeviceFilter},
    idempotency::Once,
};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use view::{DeviceView, ProvisionedDeviceView};

/// Which devices to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeviceQuery {
    /// Only devices with this status.
    status: Option<DeviceStatus>,
    /// Only devices whose name contains this text, in upper or lower case.
    #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    search: Option<Search>,
    /// Only devices with this tag: `site:north`, or `site` for one of any value; repeat it for several,
    /// all of which they must have.
    #[serde(default)]
    #[param(inline, value_type = Vec<TagFilter>, required = false, max_items = 32)]
    tag: TagFilters,
    /// The `next_cursor` of the page before. Not for streams.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<DeviceId>>,
    /// How many devices a page has, 1 to 500. Not for streams.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<PageLimit>,
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
        .service(bulk::device_create_bulk)
        .service(device_list)
        .service(device_show)
        .service(status::device_status_history)
        .service(device_update)
        .service(device_delete);
}

/// Provision a device
///
/// The key in the answer is shown once and never again: send an `Idempotency-Key`, so that an answer that is lost on
/// the way can be had again.
#[utoipa::path(
    tag = "devices",
    params(IdempotencyHeader),
    request_body = NewDevice,
    responses((status = CREATED, body = ProvisionedDeviceView), Scoped<DevicesWrite>, OnceProblems, ServerProblems)
)]
#[post("/devices")]
async fn device_create(
    user: Scoped<DevicesWrite>,
    request: HttpRequest,
    state: Data<AppState>,
    new: Idempotent<Json<NewDevice>>,
) -> Result<HttpResponse, Problem> {
    let (Json(new), claim) = (new.body, new.claim);
    let (key, now) = (DeviceKey::new(random_bits()?), state.clock.now());
    let vault = Vault::new(&state, user.owner, claim.as_ref());
    let answer = |device: &Device| {
        let view = ProvisionedDeviceView::new(device.clone(), &key);
        let mut response = secret(StatusCode::CREATED, &view);
        conditional::mark(
            &mut response,
            request.headers(),
            device.version,
            &view.device,
        );
        locate(&mut response, &format!("/devices/{}", device.id));
        response
    };
    let work = async |once: &Once<'_, Device>| {
        store::insert(&state.db, user.owner, (&new, &key), once, now).await
    };
    once(&vault, answer, work, Ok).await
}

/// List devices
///
/// In the order of provisioning, as a page of JSON or, as the `Accept` header says, as a sheet of all of them
/// (`text/csv`, RFC 4180) in the columns that `POST /devices/bulk` takes, and some more. Their keys are not in it. A
/// sheet that fails half way is broken off and never looks complete.
#[utoipa::path(
    tag = "devices",
    params(DeviceQuery),
    responses(
        (status = OK, content(
            (PageView<DeviceView> = "application/json"),
            (String = "text/csv", example = json!(sheet::EXAMPLE_OUT)),
        )),
        Scoped<DevicesRead>, AcceptProblem, InputProblems, ServerProblems,
    )
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
    let mut response = match wanted(request.headers(), &sheet::FORMS)? {
        sheet::Form::Json => {
            let limit = limit.unwrap_or_default();
            let devices = store::list(&state.db, user.owner, &filter, cursor, limit).await?;
            page::<_, _, DeviceView>(&request, devices)
        }
        sheet::Form::Csv => {
            refuse_for_streams([("cursor", cursor.is_some()), ("limit", limit.is_some())])?;
            export::export(&state, user.owner, filter).await?
        }
    };
    let vary = HeaderValue::from_static("Authorization, Accept, Accept-Encoding");
    response.headers_mut().insert(VARY, vary);
    Ok(response)
}

/// Show a device
///
/// With its settings, and when it was last heard of. Its key is not shown again.
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path)),
    responses((status = OK, body = DeviceView), Scoped<DevicesRead>, NotFoundProblem, ServerProblems)
)]
#[get("/devices/{id}")]
async fn device_show(
    user: Scoped<DevicesRead>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
) -> Result<HttpResponse, Problem> {
    let device = found(store::find(&state.db, user.owner, id.0).await?)?;
    let (version, view) = (device.version, DeviceView::from(device));
    Ok(conditional::versioned(&request, version, &view))
}

/// Change a device's settings
///
/// A merge patch (RFC 7396): what is absent stays as it is, and null stands for what a device is provisioned with.
/// With `If-Match` it is made only where the settings are still those that were seen; readings, which move `status`
/// and `last_seen_at`, do not matter. A patch that removes all of `metadata` or all `tags` has to have it.
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path), KnownVersion),
    request_body(content((DeviceChange = "application/json"), (DeviceChange = "application/merge-patch+json"))),
    responses((status = OK, body = DeviceView), Scoped<DevicesWrite>, NotFoundProblem, EditProblems, BodyProblems, ServerProblems)
)]
#[patch("/devices/{id}")]
async fn device_update(
    user: Scoped<DevicesWrite>,
    request: HttpRequest,
    state: Data<AppState>,
    id: Path<DeviceId>,
    precondition: Precondition,
    change: Json<DeviceChange>,
) -> Result<HttpResponse, Problem> {
    let Json(change) = change;
    let expected = if change.wipes() {
        precondition.required()?
    } else {
        precondition.expected()
    };
    let change = (&change, expected);
    let device = store::update(&state.db, user.owner, id.0, change, state.clock.now()).await?;
    let device = found(device)??;
    let (version, view) = (device.version, DeviceView::from(device));
    let mut response = HttpResponse::Ok().json(&view);
    conditional::mark(&mut response, request.headers(), version, &view);
    Ok(response)
}

/// Delete a device with all its data
///
/// It is gone for every reader at once, and its key is no longer good.
#[utoipa::path(
    tag = "devices",
    params(("id" = DeviceId, Path), KnownVersion),
    responses(
        (status = NO_CONTENT, description = "Deleted"),
        Scoped<DevicesWrite>, NotFoundProblem, ConditionProblems, ServerProblems
    )
)]
#[delete("/devices/{id}")]
async fn device_delete(
    user: Scoped<DevicesWrite>,
    state: Data<AppState>,
    id: Path<DeviceId>,
    precondition: Precondition,
) -> Result<HttpResponse, Problem> {
    let expected = precondition.expected();
    let deleted = store::delete(&state.db, user.owner, id.0, expected, state.clock.now()).await?;
    found(deleted)??;
    Ok(HttpResponse::NoContent().finish())
}
