//! Sessions as they are answered.

use crate::{auth::ACCESS_LIFETIME, problem::Problem, state::AppState, user::UserView};
use chrono::{DateTime, Utc};
use domain::{
    session::{Client, RefreshToken, Session, SessionId},
    user::User,
};
use serde::Serialize;

/// What a sign-up, sign-in or refresh answers.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SignedIn)]
pub(crate) struct SignedInView {
    user: UserView,
    /// Send it as `Authorization: Bearer <access_token>`.
    #[schema(example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6IjFmIn0.e30.c2ln")]
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
        user: User,
        session: &Session,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let access_token = state.tokens.issue(user.id, session.id, now)?;
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
pub(super) struct CurrentSessionView {
    pub(super) user: UserView,
    pub(super) session: SessionView,
}

/// A session.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    id: SessionId,
    /// What the client called itself when the session was opened or refreshed last (its `User-Agent`).
    #[schema(
        required = true,
        max_length = 200,
        example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    )]
    user_agent: Option<String>,
    /// Where it was opened or refreshed from last.
    #[schema(required = true, example = "203.0.113.7")]
    ip: Option<String>,
    /// When the user signed in.
    created_at: DateTime<Utc>,
    /// When it was last opened or refreshed.
    last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed before.
    expires_at: DateTime<Utc>,
    /// Whether it is the one that this request was made in.
    current: bool,
}

impl SessionView {
    /// A session as it is told in the session `current`.
    pub(super) fn new(session: Session, current: SessionId) -> Self {
        let Session {
            id,
            created_at,
            last_used_at,
            expires_at,
            client: Client { user_agent, ip },
        } = session;
        Self {
            id,
            user_agent,
            ip,
            created_at,
            last_used_at,
            expires_at,
            current: id == current,
        }
    }
}

/// With the session that it is told in.
impl From<(Session, SessionId)> for SessionView {
    fn from((session, current): (Session, SessionId)) -> Self {
        Self::new(session, current)
    }
}
