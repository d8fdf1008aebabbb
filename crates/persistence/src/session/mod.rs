//! Sessions, and the proof of who is asking.

mod refresh;
mod revoke;
pub(crate) mod row;

pub use refresh::{Refreshed, refresh};
pub use revoke::{delete_ended, revoke, revoke_others};
pub(crate) use revoke::{revoke_all_in, revoke_others_in};

use crate::{Db, StoreError, Tx, user};
use domain::{
    Timestamp,
    page::{Cursor, Page, PageLimit},
    session::{Client, REFRESH_LIFETIME, RefreshToken, Session, SessionId},
    user::{User, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

/// Whose data a query may see. Made from a session that is open, or from an API key, and from nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(pub(crate) UserId);

impl OwnerId {
    /// The user behind it.
    #[must_use]
    pub fn user_id(self) -> UserId {
        self.0
    }

    pub(crate) fn uuid(self) -> Uuid {
        self.0.0
    }
}

/// Opens a session for a user who has proved a password by this hash; none where the hash is another one by now.
///
/// Whoever changes the password, and ends the sessions that were opened with the old one, comes before or after: no
/// session of the old one is left.
pub async fn insert(
    db: &Db,
    user: UserId,
    password_hash: &str,
    token: &RefreshToken,
    client: &Client,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    db.transaction("session.insert", async |tx| {
        if !user::has_hash(tx, user, password_hash).await? {
            return Ok(None);
        }
        insert_in(tx, user, token, client, now).await.map(Some)
    })
    .await
}

/// Opens a session as part of a larger transaction; one more than [`domain::session::MOST_SESSIONS`] ends another.
pub(crate) async fn insert_in(
    tx: &Tx,
    user: UserId,
    token: &RefreshToken,
    client: &Client,
    now: Timestamp,
) -> Result<Session, StoreError> {
    let id = Uuid::now_v7();
    let session = row::ActiveModel {
        id: Set(id),
        user_id: Set(user.0),
        refresh_token_hash: Set(token.hash()),
        family: Set(id),
        family_hash: Set(Some(token.family_hash())),
        previous_token_hash: Set(None),
        successor_nonce: Set(None),
        rotated_at: Set(None),
        expires_at: Set(now + REFRESH_LIFETIME),
        revoked_at: Set(None),
        user_agent: Set(client.user_agent.clone()),
        ip: Set(client.ip.clone()),
        created_at: Set(now),
        last_used_at: Set(now),
    };
    let session = session.insert(tx).await?.into();
    revoke::revoke_surplus_in(tx, user, now).await?;
    Ok(session)
}

/// The owner that an open session proves; none where the session has ended or was never this user's.
pub async fn authenticate(
    db: &Db,
    session: SessionId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<OwnerId>, StoreError> {
    let found = db
        .transaction("session.authenticate", async |tx| {
            Ok(open(session, user, now).one(tx).await?)
        })
        .await?;
    Ok(found.map(|session| OwnerId(UserId(session.user_id))))
}

/// The session and its user, as long as it is open.
pub async fn find(
    db: &Db,
    owner: OwnerId,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<(User, Session)>, StoreError> {
    db.transaction("session.find", async |tx| {
        let Some(session) = open(session, owner.0, now).one(tx).await? else {
            return Ok(None);
        };
        with_user(tx, session).await
    })
    .await
}

/// The owner's open sessions, latest sign-in first.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    before: Option<Cursor<SessionId>>,
    limit: PageLimit,
    now: Timestamp,
) -> Result<Page<Session, SessionId>, StoreError> {
    let mut query = all_open(owner.0, now)
        .order_by_desc(row::Column::Id)
        .limit(u64::from(limit.get()) + 1);
    if let Some(Cursor(id)) = before {
        query = query.filter(row::Column::Id.lt(id.0));
    }
    db.transaction("session.list", async |tx| {
        let sessions = query.clone().all(tx).await?;
        let sessions = sessions.into_iter().map(Session::from).collect();
        Ok(Page::cut(sessions, limit, |session| session.id))
    })
    .await
}

/// A session with the user that it belongs to.
async fn with_user(tx: &Tx, session: row::Model) -> Result<Option<(User, Session)>, StoreError> {
    let user = user::row::Entity::find_by_id(session.user_id)
        .one(tx)
        .await?;
    user.map(|user| Ok((user.try_into()?, session.into())))
        .transpose()
}

fn open(session: SessionId, user: UserId, now: Timestamp) -> sea_orm::Select<row::Entity> {
    all_open(user, now).filter(row::Column::Id.eq(session.0))
}

fn all_open(user: UserId, now: Timestamp) -> sea_orm::Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::UserId.eq(user.0))
        .filter(row::Column::RevokedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now))
}
