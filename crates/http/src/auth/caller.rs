//! Who is asking, found out before anything else of a request is read.

use crate::{
    problem::{Problem, ProblemKind},
    query::refuse_unasked,
    state::AppState,
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, HeaderMap},
    middleware::Next,
    web::Data,
};
use domain::{
    api_key::{ApiKeyId, ApiKeyToken},
    device::DeviceKey,
    session::SessionId,
};
use persistence::{api_key::Grant, session::OwnerId};
use std::{
    future::{Ready, ready},
    sync::Arc,
};

/// A user who has proved an open session. A handler that takes one cannot be called without, and not
/// by an API key either; for what API keys may do there is [`super::Scoped`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) owner: OwnerId,
    pub(crate) session: SessionId,
}

/// Whoever proved to be someone.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// A user, by an access token.
    Session(User),
    /// A program of a user, by an API key.
    ApiKey(Arc<Grant>),
}

/// What the middleware found out, for the extractors to read.
#[derive(Clone)]
struct Checked(Result<Caller, Problem>);

/// Checks the access token or API key of a request that brings one.
///
/// The extractors only read the result, at once, so that a request without a good one is told so
/// before its path, query or body is looked at.
pub(crate) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let of_users = request.path().starts_with("/api/v1/") && request.path() != "/api/v1/readings";
    if of_users
        && let Some(token) = bearer_token(request.headers())
        && let Some(state) = request.app_data::<Data<AppState>>().cloned()
    {
        let checked = Checked(check(&state, token).await);
        request.extensions_mut().insert(checked);
    }
    next.call(request).await
}

/// The token of the one `Authorization` header (RFC 6750, section 2.1; RFC 9110, section 11.4: the
/// scheme in upper or lower case, and at least one blank after it). Of two headers neither is taken.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim_matches(' '))
}

/// Whether a request means to authenticate with an API key.
pub(crate) fn brings_api_key(headers: &HeaderMap) -> bool {
    bearer_token(headers).is_some_and(ApiKeyToken::is_meant_by)
}

/// The API key that a request was let through with, if it was one.
pub(crate) fn api_key_of(request: &HttpRequest) -> Option<ApiKeyId> {
    match Caller::of(request).ok()? {
        Caller::ApiKey(grant) => Some(grant.id),
        Caller::Session(_) => None,
    }
}

async fn check(state: &AppState, token: &str) -> Result<Caller, Problem> {
    let now = state.clock.now();
    let refused = || Problem::new(ProblemKind::Unauthenticated);
    if ApiKeyToken::is_meant_by(token) {
        let token = ApiKeyToken::parse(token).map_err(|_| refused())?;
        let grant = state.api_keys.grant(&state.db, token.hash(), now).await?;
        return grant.map(Caller::ApiKey).ok_or_else(refused);
    }
    let proof = state.tokens.verify(token, now).await?;
    let proof = proof.ok_or_else(refused)?;
    let owner = state.sessions.owner(&state.db, proof, now).await?;
    Ok(Caller::Session(User {
        owner: owner.ok_or_else(refused)?,
        session: proof.session,
    }))
}

impl Caller {
    /// Who the middleware found out to be asking.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let checked = request.extensions().get::<Checked>().cloned();
        checked.map_or_else(
            || Err(Problem::new(ProblemKind::Unauthenticated)),
            |it| it.0,
        )
    }
}

impl FromRequest for User {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let user = Caller::of(request).and_then(|caller| match caller {
            Caller::Session(user) => Ok(user),
            Caller::ApiKey(_) => Err(Problem::new(ProblemKind::SessionRequired)),
        });
        ready(user.and_then(|user| refuse_unasked(request).map(|()| user)))
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
