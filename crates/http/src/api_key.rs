//! API keys over HTTP. A key cannot make another: only a user in a session can.

use crate::{
    auth::User,
    body::Json,
    idempotency::{IdempotencyHeader, Idempotent, Vault, once},
    path::Path,
    problem::{AuthProblems, NotFoundProblem, OnceProblems, Problem, ServerProblems},
    state::{AppState, random_bits},
    view::{ListView, found, secret},
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    api_key::{ApiKey, ApiKeyId, ApiKeyToken, NewApiKey, Scope, Scopes},
    user::DisplayName,
};
use persistence::{api_key as store, idempotency::Once};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// An API key, without the key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyView {
    id: ApiKeyId,
    name: DisplayName,
    /// The first characters of the key, to tell keys apart by.
    #[schema(example = "rpk_7Qk4bJ")]
    key_prefix: String,
    #[schema(value_type = Vec<Scope>)]
    scopes: Scopes,
    created_at: DateTime<Utc>,
    /// When it was last used; moves at most once a minute.
    #[schema(required = true)]
    last_used_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        let ApiKey {
            id,
            name,
            key_prefix,
            scopes,
            created_at,
            last_used_at,
            expires_at,
        } = key;
        Self {
            id,
            name,
            key_prefix,
            scopes,
            created_at,
            last_used_at,
            expires_at,
        }
    }
}

/// An API key that was made just now.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CreatedApiKey)]
struct CreatedApiKeyView {
    #[serde(flatten)]
    key: ApiKeyView,
    /// Send it as `Authorization: Bearer <api_key>`. It is shown here once and never again.
    #[schema(example = "rpk_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    api_key: String,
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(api_key_create)
        .service(api_key_list)
        .service(api_key_show)
        .service(api_key_delete);
}

/// Make an API key
///
/// For a program of yours, which sends it in the place of an access token. The key in the answer is
/// shown once and never again. It is good for what its scopes cover until it is revoked or expires;
/// nothing under `/auth` takes one. A user has at most 50.
#[utoipa::path(
    tag = "auth",
    params(IdempotencyHeader),
    request_body = NewApiKey,
    responses((status = CREATED, body = CreatedApiKeyView), AuthProblems, OnceProblems, ServerProblems)
)]
#[post("/auth/api-keys")]
async fn api_key_create(
    user: User,
    state: Data<AppState>,
    new: Idempotent<Json<NewApiKey>>,
) -> Result<HttpResponse, Problem> {
    let (Json(new), claim) = (new.body, new.claim);
    let now = state.clock.now();
    let new = (&new, new.expiry(now)?);
    let token = ApiKeyToken::new(random_bits()?);
    let vault = Vault::new(&state, user.owner, claim.as_ref());
    let answer = |key: &ApiKey| {
        let view = CreatedApiKeyView {
            key: key.clone().into(),
            api_key: token.reveal().to_owned(),
        };
        secret(StatusCode::CREATED, &view)
    };
    let work = async |once: &Once<'_, ApiKey>| {
        store::insert(&state.db, user.owner, new, &token, once, now).await
    };
    once(&vault, answer, work, |key| Ok(key?)).await
}

/// List API keys
///
/// All of them, in the order of making, also those that have expired.
#[utoipa::path(
    tag = "auth",
    responses((status = OK, body = ListView<ApiKeyView>), AuthProblems, ServerProblems)
)]
#[get("/auth/api-keys")]
async fn api_key_list(user: User, state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let keys = store::list(&state.db, user.owner).await?;
    let data = keys.into_iter().map(ApiKeyView::from).collect();
    Ok(HttpResponse::Ok().json(ListView { data }))
}

/// Show an API key
///
/// What it is for and when it was used last; the key itself was shown once.
#[utoipa::path(
    tag = "auth",
    params(("id" = ApiKeyId, Path)),
    responses((status = OK, body = ApiKeyView), AuthProblems, NotFoundProblem, ServerProblems)
)]
#[get("/auth/api-keys/{id}")]
async fn api_key_show(
    user: User,
    state: Data<AppState>,
    id: Path<ApiKeyId>,
) -> Result<HttpResponse, Problem> {
    let key = found(store::find(&state.db, user.owner, id.0).await?)?;
    Ok(HttpResponse::Ok().json(ApiKeyView::from(key)))
}

/// Revoke an API key
///
/// It is no longer good: at once on this instance, within five seconds on others.
#[utoipa::path(
    tag = "auth",
    params(("id" = ApiKeyId, Path)),
    responses((status = NO_CONTENT, description = "Revoked"), AuthProblems, NotFoundProblem, ServerProblems)
)]
#[delete("/auth/api-keys/{id}")]
async fn api_key_delete(
    user: User,
    state: Data<AppState>,
    id: Path<ApiKeyId>,
) -> Result<HttpResponse, Problem> {
    let deleted = store::delete(&state.db, user.owner, id.0).await?;
    found(deleted.then_some(()))?;
    state.api_keys.revoke(id.0);
    Ok(HttpResponse::NoContent().finish())
}
