//! Users over HTTP: signing up, and what users do with themselves.

mod delete;
mod password;

pub(crate) use password::weak;

use crate::{
    auth,
    body::Json,
    problem::{
        AuthProblems, BodyProblems, EmailTakenProblem, Problem, ProblemKind, ServerProblems,
        ThrottleProblem,
    },
    session::{SignedInView, client},
    state::{AppState, random_bits},
    throttle::{guard, note_familiar},
    verification::mail_with_token,
    view::secret,
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, patch, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    session::{Client, RefreshToken},
    throttle::{Account, Attempt},
    user::{DisplayName, Email, NewUser, User, UserChange, UserId},
    verification::Purpose,
};
use persistence::user::{SignUp, insert, update};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    id: UserId,
    email: Email,
    /// Whether the user has shown that mail to the address arrives.
    email_verified: bool,
    /// What to call the user.
    #[schema(value_type = Option<String>, required = true, example = "Ada")]
    name: Option<DisplayName>,
    /// When the user signed up.
    created_at: DateTime<Utc>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User {
            id,
            email,
            name,
            email_verified_at,
            created_at,
        } = user;
        Self {
            id,
            email,
            email_verified: email_verified_at.is_some(),
            name,
            created_at,
        }
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(user_sign_up)
        .service(user_update)
        .service(password::user_change_password)
        .service(delete::user_delete);
}

/// Sign up
///
/// Makes a user and signs them in. The address is taken in lower case, and a mail with a token to verify it is sent
/// there. A password has 8 to 128 characters of any kind; the most common ones are refused, and so are the address and
/// the name of the service.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = NewUser,
    responses(
        (status = CREATED, body = SignedInView),
        BodyProblems,
        EmailTakenProblem,
        ThrottleProblem,
        ServerProblems
    )
)]
#[post("/auth/sign-up")]
async fn user_sign_up(
    request: HttpRequest,
    state: Data<AppState>,
    new: Json<NewUser>,
) -> Result<HttpResponse, Problem> {
    let account = Account::of(new.0.email.as_str());
    let attempt = Attempt::SignUp(account, auth::network(&state, &request));
    let (client, email) = (client(&state, &request), new.0.email.clone());
    let answer = guard(&state, attempt, sign_up(&state, &client, new.0)).await?;
    note_familiar(&state, &request, &email).await;
    Ok(answer)
}

async fn sign_up(state: &AppState, client: &Client, new: NewUser) -> Result<HttpResponse, Problem> {
    let NewUser {
        email,
        password,
        name,
    } = new;
    password
        .check_for(&email)
        .map_err(|error| weak("/password", error))?;
    let password_hash = state.passwords.hash(password.as_bytes().to_vec()).await?;
    let sign_up = SignUp {
        mail: mail_with_token(state, Purpose::VerifyEmail, email.clone())?,
        email,
        name,
        password_hash,
    };
    let token = RefreshToken::new(random_bits()?);
    let now = state.clock.now();
    let (user, session) = insert(&state.db, &sign_up, &token, client, now).await?;
    let answer = SignedInView::new(state, user, &session, &token, now)?;
    Ok(secret(StatusCode::CREATED, &answer))
}

/// Change the user
///
/// A merge patch (RFC 7396): what is absent stays as it is.
#[utoipa::path(
    tag = "auth",
    request_body(content((UserChange = "application/json"), (UserChange = "application/merge-patch+json"))),
    responses((status = OK, body = UserView), AuthProblems, BodyProblems, ServerProblems)
)]
#[patch("/auth/user")]
async fn user_update(
    user: auth::User,
    state: Data<AppState>,
    change: Json<UserChange>,
) -> Result<HttpResponse, Problem> {
    let changed = update(&state.db, user.owner, &change.0, state.clock.now()).await?;
    let changed = changed.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated))?;
    Ok(HttpResponse::Ok().json(UserView::from(changed)))
}
