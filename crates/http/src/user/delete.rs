//! The end of users.

use super::password::{prove, wrong};
use crate::{
    auth::User,
    body::Json,
    problem::{AuthProblems, PasswordProblems, Problem, ServerProblems, ThrottleProblem},
    state::AppState,
};
use actix_web::{HttpResponse, delete, web::Data};
use domain::user::UserDeletion;
use persistence::user as store;

/// Delete the user with everything that is theirs
///
/// Sessions, API keys, devices with their readings, rules and alerts: they are gone for every reader at once, and a
/// background purge removes the readings. Device keys are no longer good, and the address is free again.
#[utoipa::path(
    tag = "auth",
    request_body = UserDeletion,
    responses((status = NO_CONTENT, description = "Deleted"), AuthProblems, PasswordProblems, ThrottleProblem, ServerProblems)
)]
#[delete("/auth/user")]
pub(super) async fn user_delete(
    user: User,
    state: Data<AppState>,
    deletion: Json<UserDeletion>,
) -> Result<HttpResponse, Problem> {
    let pointer = "/password";
    let (_, hash) = prove(&state, user, deletion.0.password, pointer).await?;
    let ended = store::delete(&state.db, user.owner, &hash, state.clock.now()).await?;
    state.sessions.end(ended.ok_or_else(|| wrong(pointer))?);
    state.api_keys.forget(user.owner.user_id());
    Ok(HttpResponse::NoContent().finish())
}
