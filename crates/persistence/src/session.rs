//! Sessions, and the proof of who is asking.

use crate::{Db, StoreError, Tx, user};
use domain::{
    Timestamp,
    session::{Client, REFRESH_LIFETIME, RefreshToken, Session, SessionId},
    user::{User, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr,
};
use uuid::Uuid;

pub(crate) mod row {
    //! Rows of `sessions`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Uuid,
        pub refresh_token_hash: String,
        pub family: Uuid,
        pub expires_at: DateTimeUtc,
        pub revoked_at: Option<DateTimeUtc>,
        pub user_agent: Option<String>,
        pub ip: Option<String>,
        pub created_at: DateTimeUtc,
        pub last_used_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whose data a query may see. Only this module makes one, from a session that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(UserId);

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

impl From<row::Model> for Session {
    fn from(row: row::Model) -> Self {
        Self {
            id: SessionId(row.id),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

/// Opens a session.
pub async fn insert(
    db: &Db,
    user: UserId,
    token: &RefreshToken,
    client: &Client,
    now: Timestamp,
) -> Result<Session, StoreError> {
    db.transaction("session.insert", async |tx| {
        insert_in(tx, user, token, client, now).await
    })
    .await
}

/// Opens a session as part of a larger transaction.
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
        expires_at: Set(now + REFRESH_LIFETIME),
        revoked_at: Set(None),
        user_agent: Set(client.user_agent.clone()),
        ip: Set(client.ip.clone()),
        created_at: Set(now),
        last_used_at: Set(now),
    };
    Ok(session.insert(tx).await?.into())
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

/// A session with the user that it belongs to.
async fn with_user(tx: &Tx, session: row::Model) -> Result<Option<(User, Session)>, StoreError> {
    let user = user::row::Entity::find_by_id(session.user_id)
        .one(tx)
        .await?;
    user.map(|user| Ok((user.try_into()?, session.into())))
        .transpose()
}

fn open(session: SessionId, user: UserId, now: Timestamp) -> sea_orm::Select<row::Entity> {
    row::Entity::find_by_id(session.0)
        .filter(row::Column::UserId.eq(user.0))
        .filter(row::Column::RevokedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now))
}

/// Exchanges a refresh token for its successor, in one atomic statement, so that of any number of
/// parallel attempts with one token exactly one wins.
pub async fn refresh(
    db: &Db,
    token: &RefreshToken,
    successor: &RefreshToken,
    now: Timestamp,
) -> Result<Option<(User, Session)>, StoreError> {
    db.transaction("session.refresh", async |tx| {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::RefreshTokenHash, Expr::value(successor.hash()))
            .col_expr(row::Column::LastUsedAt, Expr::value(now))
            .col_expr(row::Column::ExpiresAt, Expr::value(now + REFRESH_LIFETIME))
            .filter(row::Column::RefreshTokenHash.eq(token.hash()))
            .filter(row::Column::RevokedAt.is_null())
            .filter(row::Column::ExpiresAt.gt(now))
            .exec_with_returning(tx)
            .await?;
        let Some(session) = updated.into_iter().next() else {
            return Ok(None);
        };
        with_user(tx, session).await
    })
    .await
}

/// Ends a session; one that has ended stays as it is.
pub async fn revoke(
    db: &Db,
    owner: OwnerId,
    session: SessionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    db.transaction("session.revoke", async |tx| {
        row::Entity::update_many()
            .col_expr(row::Column::RevokedAt, Expr::value(now))
            .filter(row::Column::Id.eq(session.0))
            .filter(row::Column::UserId.eq(owner.uuid()))
            .filter(row::Column::RevokedAt.is_null())
            .exec(tx)
            .await?;
        Ok(())
    })
    .await
}

/// Removes sessions that ended more than 30 days ago, at most 1000 at a time, and answers how many.
pub async fn delete_expired(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    db.transaction("session.delete_expired", async |tx| {
        let statement = sqlx::query(
            "delete from sessions where id in (
                 select id from sessions where least(expires_at, revoked_at) < $1 limit 1000
                 for update skip locked)",
        );
        tx.execute(statement.bind(now - REFRESH_LIFETIME)).await
    })
    .await
}
