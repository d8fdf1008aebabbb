//! Sessions over HTTP: sign in, stay signed in, sign out, and see where else one is.

mod list;
mod refresh;
mod view;

pub(crate) use view::SignedInView;

use crate::{
    auth::{User, address, network},
    body::Json,
    problem::{
        AuthProblems, BodyProblems, CredentialProblems, Problem, ProblemKind, ServerProblems,
        ThrottleProblem,
    },
    state::{AppState, random_bits},
    throttle::{guard, note_familiar},
    view::secret,
};
use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{StatusCode, header},
    post,
    web::Data,
};
use domain::{
    session::{Client, RefreshToken},
    throttle::{Account, Attempt},
    user::{Credentials, Email},
};
use persistence::{session, user};
use utoipa_actix_web::service_config::ServiceConfig;
use view::{CurrentSessionView, SessionView};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(session_sign_in)
        .service(refresh::session_refresh)
        .service(session_sign_out)
        .service(session_show)
        .service(list::session_list)
        .service(list::session_delete)
        .service(list::session_revoke_others);
}

/// Sign in
///
/// An unknown address and a wrong password get the same answer after the same time. Of those that fail, an account
/// has ten at once from one network, and one a minute: more are answered with 429, and so is the right password then.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = Credentials,
    responses(
        (status = OK, body = SignedInView),
        CredentialProblems,
        BodyProblems,
        ThrottleProblem,
        ServerProblems
    )
)]
#[post("/auth/sign-in")]
async fn session_sign_in(
    request: HttpRequest,
    state: Data<AppState>,
    credentials: Json<Credentials>,
) -> Result<HttpResponse, Problem> {
    let account = Account::of(&credentials.0.email);
    let attempt = Attempt::SignIn(account, network(&state, &request));
    let client = client(&state, &request);
    let (email, answer) = guard(&state, attempt, sign_in(&state, &client, credentials.0)).await?;
    note_familiar(&state, &request, &email).await;
    Ok(answer)
}

async fn sign_in(
    state: &AppState,
    client: &Client,
    credentials: Credentials,
) -> Result<(Email, HttpResponse), Problem> {
    let Credentials { email, password } = credentials;
    let place = state.passwords.place()?;
    let found = match Email::parse(&email) {
        Ok(email) => user::find_by_email(&state.db, &email).await?,
        Err(_) => None,
    };
    let refused = || Problem::new(ProblemKind::InvalidCredentials);
    let hash = found.as_ref().map(|(_, hash)| hash.clone());
    let right = state
        .passwords
        .verify(place, password.into_bytes(), hash)
        .await?;
    let (person, hash) = found.filter(|_| right).ok_or_else(refused)?;
    let (token, now) = (RefreshToken::new(random_bits()?), state.clock.now());
    let session = session::insert(&state.db, person.id, &hash, &token, client, now).await?;
    let session = session.ok_or_else(refused)?;
    let email = person.email.clone();
    let answer = SignedInView::new(state, person, &session, &token, now)?;
    Ok((email, secret(StatusCode::OK, &answer)))
}

/// Sign out
///
/// Ends the session of this access token: at once on this instance, within five seconds on others.
#[utoipa::path(tag = "auth", responses((status = NO_CONTENT, description = "Signed out"), AuthProblems, ServerProblems))]
#[post("/auth/sign-out")]
async fn session_sign_out(user: User, state: Data<AppState>) -> Result<HttpResponse, Problem> {
    session::revoke(&state.db, user.owner, user.session, state.clock.now()).await?;
    state.sessions.end([user.session]);
    Ok(HttpResponse::NoContent().finish())
}

/// Who am I?
///
/// The user that the access token is of, and the session that it was made in.
#[utoipa::path(tag = "auth", responses((status = OK, body = CurrentSessionView), AuthProblems, ServerProblems))]
#[get("/auth/session")]
async fn session_show(user: User, state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let found_session = session::find(&state.db, user.owner, user.session, now).await?;
    let (person, session) =
        found_session.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated))?;
    let answer = CurrentSessionView {
        user: person.into(),
        session: SessionView::new(session, user.session),
    };
    Ok(secret(StatusCode::OK, &answer))
}

/// What the client says of itself.
pub(crate) fn client(state: &AppState, request: &HttpRequest) -> Client {
    let user_agent = request.headers().get(header::USER_AGENT);
    Client {
        user_agent: user_agent
            .and_then(|value| value.to_str().ok())
            .map(|text| text.chars().take(200).collect()),
        ip: address(state, request).map(|it| it.to_string()),
    }
}
