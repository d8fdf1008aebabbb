//! The end of sessions. One that has ended never comes back.

use super::{OwnerId, row};
use crate::{Db, StoreError, Tx};
use domain::{
    Timestamp,
    session::{MOST_SESSIONS, Session, SessionId},
    user::UserId,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::Expr};

/// How long a session that has ended is kept: longer than any access token lives, and no longer than needed, since it
/// tells where someone was.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Ends a session of the owner, and answers whether there was an open one.
pub async fn revoke(
    db: &Db,
    owner: OwnerId,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    db.transaction("session.revoke", async |tx| {
        let which = row::Column::Id.eq(session.0);
        let ended = revoke_where(tx, owner.0, Condition::all().add(which), now).await?;
        Ok(!ended.is_empty())
    })
    .await
}

/// Ends all open sessions of the owner but one, and answers which.
pub async fn revoke_others(
    db: &Db,
    owner: OwnerId,
    session: SessionId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    db.transaction("session.revoke_others", async |tx| {
        revoke_others_in(tx, owner, session, now).await
    })
    .await
}

/// The same as part of a larger transaction.
pub(crate) async fn revoke_others_in(
    tx: &Tx,
    owner: OwnerId,
    session: SessionId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let which = row::Column::Id.ne(session.0);
    revoke_where(tx, owner.0, Condition::all().add(which), now).await
}

/// Ends all open sessions of a user as part of a larger transaction, and answers which.
pub(crate) async fn revoke_all_in(
    tx: &Tx,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    revoke_where(tx, user, Condition::all(), now).await
}

/// Ends what a user has beyond [`MOST_SESSIONS`], as part of a larger transaction: those that were used least lately.
///
/// So whoever knows a password cannot open so many that they could not all be ended at once.
pub(super) async fn revoke_surplus_in(
    tx: &Tx,
    user: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "update sessions set revoked_at = $2 where id in (
             select id from sessions where user_id = $1 and revoked_at is null and expires_at > $2
             order by last_used_at desc, id desc offset $3 for update skip locked)",
    );
    let statement = statement.bind(user.0).bind(now).bind(MOST_SESSIONS);
    tx.execute(statement).await.map(|_| ())
}

async fn revoke_where(
    tx: &Tx,
    user: UserId,
    which: Condition,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let ended = row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(now))
        .filter(row::Column::UserId.eq(user.0))
        .filter(row::Column::RevokedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now))
        .filter(which)
        .exec_with_returning(tx)
        .await?;
    Ok(ended.into_iter().map(|row| Session::from(row).id).collect())
}

/// Removes sessions that ended or expired more than a day ago, at most 1000 at a time, and answers how many.
pub async fn delete_ended(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    db.transaction("session.delete_ended", async |tx| {
        let statement = sqlx::query(
            "delete from sessions where id in (
                 select id from sessions where least(expires_at, revoked_at) < $1 limit 1000
                 for update skip locked)",
        );
        tx.execute(statement.bind(now - KEPT)).await
    })
    .await
}
