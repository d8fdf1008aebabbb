//! Sessions over HTTP: sign in, stay signed in, sign out.

use crate::{
    auth::{ACCESS_LIFETIME, User},
    body::Json,
    problem::{
        AuthProblems, BodyProblems, CredentialProblems, Problem, ProblemKind, ServerProblems,
    },
    state::{AppState, random_bits},
    user::UserView,
    view::secret,
};
use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{StatusCode, header},
    post,
    web::Data,
};
use chrono::{DateTime, Utc};
use domain::{
    session::{Client, RefreshToken, Session, SessionId},
    user::{Credentials, Email, User as Person},
};
use persistence::{session, user};
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

/// What a sign-up, sign-in or refresh answers.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SignedIn)]
pub(crate) struct SignedInView {
    user: UserView,
    /// Send it as `Authorization: Bearer <access_token>`.
    #[schema(example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6IjFmIn0.e30.c2ln")]
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token lives.
    #[schema(example = 900)]
    expires_in: i64,
    /// Exchange it, once, for new tokens when the access token has expired.
    #[schema(example = "rrt_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    refresh_token: String,
}

impl SignedInView {
    pub(crate) fn new(
        state: &AppState,
        user: Person,
        session: &Session,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let access_token = state
            .tokens
            .issue(user.id, session.id, now)
            .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
        Ok(Self {
            user: user.into(),
            access_token,
            token_type: "Bearer",
            expires_in: ACCESS_LIFETIME.num_seconds(),
            refresh_token: token.reveal().to_owned(),
        })
    }
}

/// The session that a request was made in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CurrentSession)]
struct CurrentSessionView {
    user: UserView,
    session: SessionView,
}

/// A session.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
struct SessionView {
    id: SessionId,
    /// When the user signed in.
    created_at: DateTime<Utc>,
    /// When it was last opened or refreshed.
    last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed before.
    expires_at: DateTime<Utc>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        let Session {
            id,
            created_at,
            last_used_at,
            expires_at,
        } = session;
        Self {
            id,
            created_at,
            last_used_at,
            expires_at,
        }
    }
}

/// A refresh token to exchange.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The `refresh_token` of the last answer.
    #[schema(example = "rrt_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    refresh_token: String,
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(session_sign_in)
        .service(session_refresh)
        .service(session_sign_out)
        .service(session_show);
}

/// Sign in
///
/// An unknown address and a wrong password get the same answer after the same time.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = Credentials,
    responses((status = OK, body = SignedInView), CredentialProblems, BodyProblems, ServerProblems)
)]
#[post("/auth/sign-in")]
async fn session_sign_in(
    request: HttpRequest,
    state: Data<AppState>,
    credentials: Json<Credentials>,
) -> Result<HttpResponse, Problem> {
    let Json(Credentials { email, password }) = credentials;
    let found = match Email::parse(&email) {
        Ok(email) => user::find_by_email(&state.db, &email).await?,
        Err(_) => None,
    };
    let (person, hash) = found.unzip();
    let right = state.passwords.verify(password.into_bytes(), hash).await?;
    let person = person
        .filter(|_| right)
        .ok_or_else(|| Problem::new(ProblemKind::InvalidCredentials))?;
    let token = RefreshToken::new(random_bits()?);
    let now = state.clock.now();
    let session = session::insert(&state.db, person.id, &token, &client(&request), now).await?;
    let answer = SignedInView::new(&state, person, &session, &token, now)?;
    Ok(secret(StatusCode::OK, &answer))
}

/// Stay signed in
///
/// Exchanges a refresh token for a new access token and a new refresh token. Each refresh token is
/// good once; of parallel attempts one wins.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = Refresh,
    responses((status = OK, body = SignedInView), CredentialProblems, BodyProblems, ServerProblems)
)]
#[post("/auth/refresh")]
async fn session_refresh(
    state: Data<AppState>,
    body: Json<Refresh>,
) -> Result<HttpResponse, Problem> {
    let refused = || {
        let detail =
            "The refresh token is not valid: it was used before, has expired, or was revoked.";
        Problem::with_detail(ProblemKind::InvalidCredentials, detail)
    };
    let token = RefreshToken::try_from(body.0.refresh_token).map_err(|_| refused())?;
    let successor = RefreshToken::new(random_bits()?);
    let now = state.clock.now();
    let refreshed = session::refresh(&state.db, &token, &successor, now).await?;
    let (person, session) = refreshed.ok_or_else(refused)?;
    let answer = SignedInView::new(&state, person, &session, &successor, now)?;
    Ok(secret(StatusCode::OK, &answer))
}

/// Sign out
///
/// Ends the session of this access token: at once on this instance, within five seconds on others.
#[utoipa::path(tag = "auth", responses((status = NO_CONTENT, description = "Signed out"), AuthProblems, ServerProblems))]
#[post("/auth/sign-out")]
async fn session_sign_out(user: User, state: Data<AppState>) -> Result<HttpResponse, Problem> {
    session::revoke(&state.db, user.owner, user.session, state.clock.now()).await?;
    state.sessions.end(user.session);
    Ok(HttpResponse::NoContent().finish())
}

/// Who am I?
#[utoipa::path(tag = "auth", responses((status = OK, body = CurrentSessionView), AuthProblems, ServerProblems))]
#[get("/auth/session")]
async fn session_show(user: User, state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let found_session = session::find(&state.db, user.owner, user.session, now).await?;
    let (person, session) =
        found_session.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated))?;
    let answer = CurrentSessionView {
        user: person.into(),
        session: session.into(),
    };
    Ok(secret(StatusCode::OK, &answer))
}

/// What the client says of itself.
pub(crate) fn client(request: &HttpRequest) -> Client {
    let user_agent = request.headers().get(header::USER_AGENT);
    Client {
        user_agent: user_agent
            .and_then(|value| value.to_str().ok())
            .map(|text| text.chars().take(200).collect()),
        ip: request.peer_addr().map(|address| address.ip().to_string()),
    }
}
