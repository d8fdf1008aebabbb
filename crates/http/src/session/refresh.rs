//! Staying signed in.

use super::{client, view::SignedInView};
use crate::{
    body::Json,
    problem::{BodyProblems, CredentialProblems, Problem, ProblemKind, ServerProblems},
    state::{AppState, random_bits},
    throttle::note_familiar,
    view::secret,
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, post, web::Data};
use domain::{hex, session::RefreshToken};
use persistence::session::{Refreshed, refresh};
use serde::Deserialize;

/// A refresh token to exchange.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The `refresh_token` of the last answer.
    #[schema(example = "rrt_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    refresh_token: String,
}

/// Stay signed in
///
/// Exchanges a refresh token for a new access token and a new refresh token. Each refresh token is good once. Sent
/// again within 30 seconds, because the answer was lost or several were sent at once, it is answered with the same
/// new refresh token, as long as that was not used. At any other time a token that was used before ends its session,
/// with all access tokens of it: someone has a copy.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = Refresh,
    responses((status = OK, body = SignedInView), CredentialProblems, BodyProblems, ServerProblems)
)]
#[post("/auth/refresh")]
pub(super) async fn session_refresh(
    request: HttpRequest,
    state: Data<AppState>,
    body: Json<Refresh>,
) -> Result<HttpResponse, Problem> {
    let token = RefreshToken::try_from(body.0.refresh_token).map_err(|_| refused())?;
    let (nonce, now) = (hex::encode(&random_bits()?), state.clock.now());
    match refresh(&state.db, &token, &nonce, &client(&state, &request), now).await? {
        Refreshed::Continued(person, session, successor) => {
            note_familiar(&state, &request, &person.email).await;
            let answer = SignedInView::new(&state, person, &session, &successor, now)?;
            Ok(secret(StatusCode::OK, &answer))
        }
        Refreshed::Refused => Err(refused()),
        Refreshed::Reused(session) => {
            state.sessions.end([session]);
            metrics::counter!("readout_refresh_tokens_reused_total").increment(1);
            tracing::warn!(%session, "a refresh token was used again, and its session ended");
            Err(refused())
        }
    }
}

/// The same whatever is wrong with the token.
fn refused() -> Problem {
    let detail = "The refresh token is not valid: it was used before, has expired, or was revoked.";
    Problem::with_detail(ProblemKind::InvalidCredentials, detail)
}
