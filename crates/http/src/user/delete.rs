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
use std::time::{Duration, Instant};

/// How long an answer waits for the end of the devices: some ten thousand. The purge takes those that are left.
const PATIENCE: Duration = Duration::from_secs(2);

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
    retire(&state).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends the devices of users who were deleted, so that their keys are no longer good when the answer comes.
async fn retire(state: &AppState) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match store::retire(&state.db, state.clock.now()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // The user is gone all the same, and the purge will try again.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "devices of a deleted user were left to the purge");
                return;
            }
        }
    }
}
