//! Who is asking, found out before anything else of a request is read.

use crate::{
    problem::{Problem, ProblemKind},
    state::AppState,
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev,
    dev::{ServiceRequest, ServiceResponse},
    http::header::AUTHORIZATION,
    middleware::Next,
    web::Data,
};
use domain::{device::DeviceKey, session::SessionId};
use persistence::session::OwnerId;
use std::future::{Ready, ready};

/// A user who has proved an open session. A handler that takes one cannot be called without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) owner: OwnerId,
    pub(crate) session: SessionId,
}

/// What the middleware found out, for the extractor to read.
#[derive(Clone)]
struct Checked(Result<User, Problem>);

/// Checks the access token of a request that brings one.
///
/// The extractor below only reads the result, at once, so that a request without a good token is
/// told so before its path, query or body is looked at.
pub(crate) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let of_users = request.path().starts_with("/api/v1/") && request.path() != "/api/v1/readings";
    if of_users
        && let Some(token) = bearer_token(&request)
        && let Some(state) = request.app_data::<Data<AppState>>().cloned()
    {
        let checked = Checked(check(&state, &token).await);
        request.extensions_mut().insert(checked);
    }
    next.call(request).await
}

fn bearer_token(request: &ServiceRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

async fn check(state: &AppState, token: &str) -> Result<User, Problem> {
    let now = state.clock.now();
    let refused = || Problem::new(ProblemKind::Unauthenticated);
    let proof = state.tokens.verify(token, now).ok_or_else(refused)?;
    let owner = state.sessions.owner(&state.db, proof, now).await?;
    Ok(User {
        owner: owner.ok_or_else(refused)?,
        session: proof.session,
    })
}

impl FromRequest for User {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let checked = request.extensions().get::<Checked>().cloned();
        ready(checked.map_or_else(
            || Err(Problem::new(ProblemKind::Unauthenticated)),
            |it| it.0,
        ))
    }
}

/// The device key of a request, as far as its form goes; the writer knows whether a device has it.
pub(crate) fn device_key(request: &HttpRequest) -> Result<DeviceKey, Problem> {
    request
        .headers()
        .get("X-Device-Key")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| DeviceKey::parse(text.trim()).ok())
        .ok_or_else(|| Problem::new(ProblemKind::InvalidDeviceKey))
}
