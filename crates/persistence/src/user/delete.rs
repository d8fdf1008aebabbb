//! The end of users and of everything that is theirs.

use super::has_hash;
use crate::{Db, StoreError, device, session, session::OwnerId};
use domain::{Timestamp, session::SessionId};
use uuid::Uuid;

/// Most users of whom nothing is left that one step removes.
const STEP: i64 = 100;

/// Deletes the owner with everything that is theirs, and answers which sessions they had; none where the hash of the
/// password is another one by now, and then nothing changes.
///
/// The row goes at once, and by foreign key whatever refers to it; the address is free again. Only devices and rules
/// may have too much behind them for one transaction: they pass to a user that nobody can sign in as, marked as
/// deleted, and the purge of devices does the rest. Waits for ingest that holds one of the devices, and what waits
/// for this finds no device: nothing is written for them after this commits.
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
        let heir = Uuid::now_v7();
        let statement = sqlx::query(
            "insert into users (id, email, created_at, updated_at, deleted_at)
             values ($1, $1::text || '@deleted.invalid', $2, $2, $2)",
        );
        tx.execute(statement.bind(heir).bind(now)).await?;
        device::bequeath(tx, owner, heir, now).await?;
        let statement = sqlx::query("update alert_rules set owner_id = $2 where owner_id = $1");
        tx.execute(statement.bind(owner.uuid()).bind(heir)).await?;
        let statement = sqlx::query("delete from users where id = $1");
        tx.execute(statement.bind(owner.uuid())).await?;
        Ok(Some(sessions))
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
