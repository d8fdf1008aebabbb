//! All sessions of a user.

use super::view::SessionView;
use crate::{
    auth::User,
    path::Path,
    problem::{AuthProblems, InputProblems, NotFoundProblem, Problem, ServerProblems},
    query::Query,
    state::AppState,
    view::{PageView, found, secret_page},
};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web::Data};
use domain::{
    page::{Cursor, Page, PageLimit},
    session::SessionId,
};
use persistence::session as store;
use serde::Deserialize;

/// Which sessions to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SessionQuery {
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<SessionId>>,
    /// How many sessions a page has, 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: PageLimit,
}

/// List the user's open sessions
///
/// The latest sign-in first.
#[utoipa::path(
    tag = "auth",
    params(SessionQuery),
    responses((status = OK, body = PageView<SessionView>), AuthProblems, InputProblems, ServerProblems)
)]
#[get("/auth/sessions")]
pub(super) async fn session_list(
    user: User,
    request: HttpRequest,
    state: Data<AppState>,
    query: Query<SessionQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(SessionQuery { cursor, limit }) = query;
    let now = state.clock.now();
    let Page { items, next } = store::list(&state.db, user.owner, cursor, limit, now).await?;
    let items = items.into_iter().map(|it| (it, user.session)).collect();
    Ok(secret_page::<_, _, SessionView>(
        &request,
        Page { items, next },
    ))
}

/// End a session
///
/// Of this user, on whatever device: at once on this instance, within five seconds on others.
#[utoipa::path(
    tag = "auth",
    params(("id" = SessionId, Path)),
    responses((status = NO_CONTENT, description = "Ended"), AuthProblems, NotFoundProblem, ServerProblems)
)]
#[delete("/auth/sessions/{id}")]
pub(super) async fn session_delete(
    user: User,
    state: Data<AppState>,
    id: Path<SessionId>,
) -> Result<HttpResponse, Problem> {
    let ended = store::revoke(&state.db, user.owner, id.0, state.clock.now()).await?;
    found(ended.then_some(()))?;
    state.sessions.end([id.0]);
    Ok(HttpResponse::NoContent().finish())
}

/// End all other sessions
///
/// Of this user, but for the one of this access token.
#[utoipa::path(tag = "auth", responses((status = NO_CONTENT, description = "Ended"), AuthProblems, ServerProblems))]
#[post("/auth/sessions/revoke-others")]
pub(super) async fn session_revoke_others(
    user: User,
    state: Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let ended = store::revoke_others(&state.db, user.owner, user.session, now).await?;
    state.sessions.end(ended);
    Ok(HttpResponse::NoContent().finish())
}
