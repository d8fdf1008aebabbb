//! Users over HTTP: signing up.

use crate::{
    body::Json,
    problem::{BodyProblems, EmailTakenProblem, Problem, ServerProblems},
    session::{SignedInView, client},
    state::{AppState, random_bits},
    view::secret,
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    session::RefreshToken,
    user::{DisplayName, Email, NewUser, User, UserId},
};
use persistence::user::{SignUp, insert};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    id: UserId,
    email: Email,
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
            created_at,
        } = user;
        Self {
            id,
            email,
            name,
            created_at,
        }
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(user_sign_up);
}

/// Sign up
///
/// Makes a user and signs them in. The address is taken in lower case.
#[utoipa::path(
    tag = "auth",
    security(()),
    request_body = NewUser,
    responses((status = CREATED, body = SignedInView), BodyProblems, EmailTakenProblem, ServerProblems)
)]
#[post("/auth/sign-up")]
async fn user_sign_up(
    request: HttpRequest,
    state: Data<AppState>,
    new: Json<NewUser>,
) -> Result<HttpResponse, Problem> {
    let Json(NewUser {
        email,
        password,
        name,
    }) = new;
    let password_hash = state.passwords.hash(password.as_bytes().to_vec()).await?;
    let sign_up = SignUp {
        email,
        name,
        password_hash,
    };
    let token = RefreshToken::new(random_bits()?);
    let now = state.clock.now();
    let (user, session) = insert(&state.db, &sign_up, &token, &client(&request), now).await?;
    let answer = SignedInView::new(&state, user, &session, &token, now)?;
    Ok(secret(StatusCode::CREATED, &answer))
}
