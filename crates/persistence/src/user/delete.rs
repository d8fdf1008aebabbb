//! The end of users and of everything that is theirs.

use super::has_hash;
use crate::{Db, StoreError, device, session, session::OwnerId};
use domain::{Timestamp, session::SessionId};

/// Most users of whom nothing is left that one step removes.
const STEP: i64 = 100;

/// Most devices that one step takes: so few that ingest, which may wait for one of them, does not wait for long.
const DEVICES: i64 = 1_000;

/// Tables of what is a user's own, and not a device's.
const OWN: [(&str, &str); 6] = [
    ("accounts", "user_id"),
    ("sessions", "user_id"),
    ("api_keys", "user_id"),
    ("verifications", "user_id"),
    ("idempotency_keys", "owner_id"),
    ("familiar_networks", "user_id"),
];

/// Deletes the owner, and answers which sessions they had; none where the hash of the password is another one by now,
/// and then nothing changes.
///
/// The address is free again at once, and nobody can sign in or show a key any more. Devices may be too many for one
/// transaction: the row stays as nobody's, until [`retire`] and the purge have done the rest.
pub async fn delete(
    db: &Db,
    owner: OwnerId,
    password_hash: &str,
    now: Timestamp,
) -> Result<Option<Vec<SessionId>>, StoreError> {
    db.transaction("user.delete", async |tx| {
        // No device is provisioned and no rule is made meanwhile. What only refers to the user needs not wait, so
        // that nobody who holds a device can wait for this.
        device::lock_fleets(tx, owner).await?;
        if !has_hash(tx, owner.user_id(), password_hash).await? {
            return Ok(None);
        }
        let sessions = session::revoke_all_in(tx, owner.user_id(), now).await?;
        for (table, column) in OWN {
            let sql = format!("delete from {table} where {column} = $1");
            let statement = sqlx::query(sqlx::AssertSqlSafe(sql));
            tx.execute(statement.bind(owner.uuid())).await?;
        }
        let statement = sqlx::query(
            "update users set email = id::text || '@deleted.invalid', name = null, email_verified_at = null,
                 updated_at = $2, deleted_at = $2
             where id = $1",
        );
        tx.execute(statement.bind(owner.uuid()).bind(now)).await?;
        Ok(Some(sessions))
    })
    .await
}

/// Marks some devices of users who were deleted as deleted too, and answers whether there may be more.
///
/// Waits for ingest that holds one of the devices, and what waits for this finds no device: nothing is written for
/// them after this commits.
pub async fn retire(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    db.transaction("user.retire", async |tx| {
        // In the order of their identifiers, as everyone locks them.
        let statement = sqlx::query(
            "with taken as materialized (
                 select device.id from users join devices as device on device.owner_id = users.id
                 where users.deleted_at is not null and device.deleted_at is null
                 order by device.id limit $2 for no key update of device)
             update devices set deleted_at = $1 from taken where devices.id = taken.id",
        );
        let taken = tx.execute(statement.bind(now).bind(DEVICES)).await?;
        Ok(taken == DEVICES.unsigned_abs())
    })
    .await
}

/// Removes what deleted users leave, once their devices are purged: rules that watched fleets, and the row itself.
pub async fn purge(db: &Db) -> Result<(), StoreError> {
    db.transaction("user.purge", async |tx| {
        let statement = sqlx::query(
            "delete from users where id in (
                 select id from users where deleted_at is not null
                     and not exists (select from devices where owner_id = users.id)
                 limit $1 for update skip locked)",
        );
        tx.execute(statement.bind(STEP)).await.map(|_| ())
    })
    .await
}
