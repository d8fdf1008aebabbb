//! Passwords of users who are signed in: proved, and changed.

use crate::{
    auth::User,
    body::Json,
    problem::{
        AuthProblems, FieldError, PasswordProblems, Problem, ProblemKind, ServerProblems,
        ThrottleProblem,
    },
    state::AppState,
    throttle::guard,
};
use actix_web::{HttpResponse, post, web::Data};
use domain::{
    password::{GivenPassword, PasswordChange, PasswordError},
    throttle::Attempt,
    user::Email,
};
use persistence::user::{self as store, NewHash};

/// The owner's address and the hash of the password, where this is it; otherwise the member of the body is to blame.
///
/// No 401: the access token is good, and a client is not to sign out for a typing error.
pub(super) async fn prove(
    state: &AppState,
    user: User,
    password: GivenPassword,
    pointer: &str,
) -> Result<(Email, String), Problem> {
    // Whoever has only found a session open is not to guess in it; and nobody else can use this limit up.
    guard(state, Attempt::Password(user.owner.user_id()), async {
        let place = state.passwords.place()?;
        let found = store::find_credentials(&state.db, user.owner).await?;
        let (person, hash) = found.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated))?;
        let known = Some(hash.clone());
        let right = state.passwords.verify(place, password.into_bytes(), known);
        let right = right.await?.then_some((person.email, hash));
        right.ok_or_else(|| wrong(pointer))
    })
    .await
}

/// The member of the body is not the user's password.
pub(super) fn wrong(pointer: &str) -> Problem {
    let detail = "is not the user's password".to_owned();
    let blamed = FieldError::at_pointer(pointer.to_owned(), "wrong_password", detail);
    Problem::new(ProblemKind::WrongPassword).and(blamed)
}

/// The member of the body may not be the user's password.
pub(crate) fn weak(pointer: &str, error: PasswordError) -> Problem {
    let detail = error.to_string();
    Problem::invalid(FieldError::at_pointer(
        pointer.to_owned(),
        "invalid_value",
        detail,
    ))
}

/// Change the password
///
/// Ends all other sessions of the user; this one goes on.
#[utoipa::path(
    tag = "auth",
    request_body = PasswordChange,
    responses((status = NO_CONTENT, description = "Changed"), AuthProblems, PasswordProblems, ThrottleProblem, ServerProblems)
)]
#[post("/auth/change-password")]
pub(super) async fn user_change_password(
    user: User,
    state: Data<AppState>,
    change: Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let Json(PasswordChange {
        current_password,
        new_password,
    }) = change;
    let pointer = "/current_password";
    let (email, before) = prove(&state, user, current_password, pointer).await?;
    new_password
        .check_for(&email)
        .map_err(|error| weak("/new_password", error))?;
    let after = state
        .passwords
        .hash(new_password.as_bytes().to_vec())
        .await?;
    let (hash, now) = (NewHash { before, after }, state.clock.now());
    let ended = store::change_password(&state.db, user.owner, user.session, &hash, now).await?;
    state.sessions.end(ended.ok_or_else(|| wrong(pointer))?);
    Ok(HttpResponse::NoContent().finish())
}
