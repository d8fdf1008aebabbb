//! Refresh tokens: each is exchanged once, and one that is shown again ends its session.
//!
//! A session is the family of its refresh tokens, and its row keeps the hash of the one that is good now, of the one
//! before, and of what all of them have in common. Each of the two statements below decides and acts on that row at
//! once, under its lock: nothing is read first that another request could change meanwhile, on whatever instance.

use super::{row, with_user};
use crate::{Db, StoreError, Tx};
use domain::{
    Timestamp,
    session::{
        Client, LOST_ANSWER, REFRESH_LIFETIME, RefreshToken, SESSION_LIFETIME, Session, SessionId,
    },
    user::User,
};
use sea_orm::EntityTrait;
use sqlx::Row as _;
use uuid::Uuid;

/// What became of a refresh token that was shown.
#[derive(Debug)]
pub enum Refreshed {
    /// The session goes on, with this token and no other.
    Continued(User, Session, RefreshToken),
    /// No open session ever had this token.
    Refused,
    /// The token had been used before, so someone has a copy of it: the session has ended.
    Reused(SessionId),
}

/// Exchanges a refresh token for its successor.
///
/// The one that is good now is exchanged by one UPDATE, so that of any number of parallel attempts exactly one moves
/// the session on. Whoever shows the same token later, or loses against the one that won, is told **the same
/// successor** again, within [`LOST_ANSWER`] and as long as nobody has used that: the answer to the first attempt may
/// have been lost, and if it was not, the client has what it had before. So at any time exactly one token is good, and
/// a client that refreshes fifty times at once is answered fifty times with it, whichever answer it keeps. (A successor
/// of its own for each attempt would leave the client with one that the next attempt has voided, and end the session
/// of an honest user when it is shown.) An answer of this kind moves nothing: neither the 30 seconds nor the
/// expiry begin anew.
///
/// Any other token of the family ends the session, and that is committed: the predecessor when its successor was used
/// or the time is over, and every one before it. A session that has ended or expired stays so, whatever is shown.
///
/// `nonce` is 256 random bits in hex.
pub async fn refresh(
    db: &Db,
    token: &RefreshToken,
    nonce: &str,
    client: &Client,
    now: Timestamp,
) -> Result<Refreshed, StoreError> {
    db.transaction("session.refresh", async |tx| {
        let id = match rotate(tx, token, nonce, client, now).await? {
            Some(id) => Some(id),
            None => judge(tx, token, now).await?,
        };
        let session = match id {
            Some(id) => row::Entity::find_by_id(id).one(tx).await?,
            None => None,
        };
        let Some(session) = session else {
            return Ok(Refreshed::Refused);
        };
        if session.revoked_at.is_some() {
            return Ok(Refreshed::Reused(SessionId(session.id)));
        }
        let successor = token.successor(session.successor_nonce.as_deref().unwrap_or_default());
        if successor.hash() != session.refresh_token_hash {
            let detail = "is not that of the predecessor's successor";
            return Err(StoreError::corrupt("sessions.refresh_token_hash", detail));
        }
        let found = with_user(tx, session).await?;
        Ok(found.map_or(Refreshed::Refused, |(user, session)| {
            Refreshed::Continued(user, session, successor)
        }))
    })
    .await
}

/// Exchanges the token that is good now, and answers the session.
async fn rotate(
    tx: &Tx,
    token: &RefreshToken,
    nonce: &str,
    client: &Client,
    now: Timestamp,
) -> Result<Option<Uuid>, StoreError> {
    let statement = sqlx::query(
        "update sessions set
             refresh_token_hash = $2, previous_token_hash = $1, family_hash = $3, successor_nonce = $4,
             rotated_at = $5, last_used_at = $5, expires_at = least($6, created_at + $7),
             user_agent = $8, ip = $9
         where refresh_token_hash = $1 and revoked_at is null and expires_at > $5
         returning id",
    );
    let statement = statement
        .bind(token.hash())
        .bind(token.successor(nonce).hash())
        .bind(token.family_hash())
        .bind(nonce)
        .bind(now)
        .bind(now + REFRESH_LIFETIME)
        .bind(SESSION_LIFETIME)
        .bind(client.user_agent.as_deref())
        .bind(client.ip.as_deref());
    id(tx, statement).await
}

/// Ends the session of a token that is not good now, unless its answer may have been lost, and answers the session.
///
/// This comes second, and sees what came between: a token that is not good now never will be again.
async fn judge(tx: &Tx, token: &RefreshToken, now: Timestamp) -> Result<Option<Uuid>, StoreError> {
    let statement = sqlx::query(
        "update sessions set revoked_at = case
             when previous_token_hash = $2 and rotated_at > $4 then null else $3 end
         where family_hash = $1 and revoked_at is null and expires_at > $3
         returning id",
    );
    let statement = statement
        .bind(token.family_hash())
        .bind(token.hash())
        .bind(now)
        .bind(now - LOST_ANSWER);
    id(tx, statement).await
}

async fn id(
    tx: &Tx,
    statement: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
) -> Result<Option<Uuid>, StoreError> {
    let row = tx.fetch_optional(statement).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}
