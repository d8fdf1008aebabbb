//! Signing keys over HTTP: the public halves, for whoever wants to verify access tokens.

use crate::{
    problem::{Problem, ProblemKind, ServerProblems},
    state::AppState,
};
use actix_web::{HttpResponse, get, http::header, web::Data};
use domain::signing_key::{MAX_AGE, SigningKey};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// A JSON Web Key Set (RFC 7517).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JsonWebKeySet)]
struct JsonWebKeySetView {
    keys: Vec<JsonWebKeyView>,
}

/// An Ed25519 key that verifies access tokens (RFC 8037).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JsonWebKey)]
struct JsonWebKeyView {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// The key.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    /// The thumbprint (RFC 7638), which access tokens cite.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    #[schema(example = "sig")]
    r#use: &'static str,
}

impl From<&SigningKey> for JsonWebKeyView {
    fn from(key: &SigningKey) -> Self {
        Self {
            kty: "OKP",
            crv: "Ed25519",
            x: key.public.to_base64(),
            kid: key.id.to_string(),
            alg: "EdDSA",
            r#use: "sig",
        }
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(signing_key_list);
}

/// The keys that verify access tokens
///
/// Those that sign, those that will, and those whose tokens have not all expired. A new one is here
/// ten minutes before it signs, so keep the set for as long as `Cache-Control` says.
#[utoipa::path(
    tag = "auth",
    security(()),
    responses(
        (status = OK, body = JsonWebKeySetView, content_type = "application/jwk-set+json"),
        ServerProblems
    )
)]
#[get("/.well-known/jwks.json")]
async fn signing_key_list(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let keys = &state.tokens.keys;
    if !keys.are_known() {
        return Err(Problem::new(ProblemKind::Unavailable));
    }
    let ring = keys.ring();
    let published = ring.published(state.clock.now());
    let set = JsonWebKeySetView {
        keys: published.map(JsonWebKeyView::from).collect(),
    };
    let max_age = format!("public, max-age={}", MAX_AGE.num_seconds());
    Ok(HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header((header::CACHE_CONTROL, max_age))
        .json(set))
}
