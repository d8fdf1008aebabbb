//! What attempts were charged to, for all instances together.

use crate::{Db, StoreError, Tx};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    throttle::{Account, Charge, KEY, Throttled, check},
};
use sqlx::Row;
use std::collections::HashMap;

/// Most limits that one step erases.
const STEP: i64 = 1_000;

/// How long ago a user may have been somewhere for it to be familiar.
const FAMILIAR_FOR: TimeDelta = TimeDelta::days(90);

/// How seldom it is noted that someone is still there.
const NOTED_EVERY: TimeDelta = TimeDelta::days(1);

/// When everything of a limit is earned back, by its key.
type Kept = HashMap<[u8; KEY], Timestamp>;

/// Charges an attempt to all of its limits, or to none where one of them does not allow it.
///
/// Limits are looked at before any is locked, so that a flood that is refused anyway only reads. What is charged is
/// decided by one atomic statement, in the order of keys, so that nobody waits for someone who waits for them.
pub async fn take(
    db: &Db,
    charges: &[Charge],
    now: Timestamp,
) -> Result<Result<(), Throttled>, StoreError> {
    db.transaction("throttle.take", async |tx| {
        let seen = find(tx, charges).await?;
        if let Err(throttled) = check_all(charges, &seen, now) {
            return Ok(Err(throttled));
        }
        let taken = charge(tx, charges, now).await?;
        if taken.len() == charges.len() {
            return Ok(Ok(()));
        }
        // Others were faster, and it is for them that one limit does not allow it any more.
        release(tx, charges.iter().filter(|it| taken.contains_key(&it.key))).await?;
        let late = |it: &&Charge| !taken.contains_key(&it.key);
        let spent = charges
            .iter()
            .filter(late)
            .map(|it| (it, it.limit.latest(now)));
        Ok(check(spent, now))
    })
    .await
}

/// Takes back what an attempt was charged.
pub async fn give_back(db: &Db, charges: &[Charge]) -> Result<(), StoreError> {
    db.transaction("throttle.give_back", async |tx| {
        release(tx, charges.iter()).await
    })
    .await
}

/// Erases limits, with all that was charged to them.
pub async fn forgive(db: &Db, charges: &[Charge]) -> Result<(), StoreError> {
    db.transaction("throttle.forgive", async |tx| {
        let statement = sqlx::query("delete from throttles where key = any($1)");
        tx.execute(statement.bind(keys(charges.iter())))
            .await
            .map(|_| ())
    })
    .await
}

fn check_all(charges: &[Charge], kept: &Kept, now: Timestamp) -> Result<(), Throttled> {
    let full_at = |it: &Charge| kept.get(&it.key).copied().unwrap_or(now);
    check(charges.iter().map(|it| (it, full_at(it))), now)
}

fn keys<'a>(charges: impl Iterator<Item = &'a Charge>) -> Vec<Vec<u8>> {
    charges.map(|it| it.key.to_vec()).collect()
}

async fn find(tx: &Tx, charges: &[Charge]) -> Result<Kept, StoreError> {
    let statement = sqlx::query("select key, full_at from throttles where key = any($1)");
    let rows = tx.fetch_all(statement.bind(keys(charges.iter()))).await?;
    rows.into_iter().map(|row| read(&row)).collect()
}

fn read(row: &sqlx::postgres::PgRow) -> Result<([u8; KEY], Timestamp), StoreError> {
    let key: Vec<u8> = row.try_get(0)?;
    let key = key
        .try_into()
        .map_err(|_| StoreError::corrupt("throttles.key", "must have 32 bytes"))?;
    Ok((key, row.try_get(1)?))
}

/// Charges each limit that allows it, and answers which did.
async fn charge(tx: &Tx, charges: &[Charge], now: Timestamp) -> Result<Kept, StoreError> {
    let statement = sqlx::query(
        "with asked as (
             select * from unnest($1::bytea[], $2::timestamptz[], $3::timestamptz[]) as it (key, full_at, latest))
         insert into throttles as kept (key, full_at)
         select key, full_at from asked order by key
         on conflict (key) do update
             set full_at = greatest(kept.full_at, $4) + (excluded.full_at - $4)
             where greatest(kept.full_at, $4) + (excluded.full_at - $4)
                 <= (select latest from asked where asked.key = excluded.key)
         returning key, full_at",
    );
    let full_at: Vec<_> = charges.iter().map(|it| now + it.limit.every()).collect();
    let latest: Vec<_> = charges.iter().map(|it| it.limit.latest(now)).collect();
    let statement = statement
        .bind(keys(charges.iter()))
        .bind(full_at)
        .bind(latest)
        .bind(now);
    let rows = tx.fetch_all(statement).await?;
    rows.into_iter().map(|row| read(&row)).collect()
}

/// Takes back one attempt from each limit. What is erased meanwhile owes nothing.
async fn release<'a>(tx: &Tx, charges: impl Iterator<Item = &'a Charge>) -> Result<(), StoreError> {
    let (keys, every): (Vec<_>, Vec<_>) = charges
        .map(|it| (it.key.to_vec(), it.limit.every().num_seconds()))
        .unzip();
    let statement = sqlx::query(
        "with held as (select key from throttles where key = any($1) order by key for update)
         update throttles set full_at = full_at - every * interval '1 second'
         from held join unnest($1::bytea[], $2::bigint[]) as it (key, every) using (key)
         where throttles.key = held.key",
    );
    tx.execute(statement.bind(keys).bind(every)).await?;
    Ok(())
}

/// Notes that the user with this address was on a network, having proved to be who they are.
pub async fn note_familiar(
    db: &Db,
    account: &Account,
    network: [u8; KEY],
    now: Timestamp,
) -> Result<(), StoreError> {
    db.transaction("throttle.note_familiar", async |tx| {
        let statement = sqlx::query(
            "insert into familiar_networks as known (user_id, network, seen_at)
             select id, $2, $3 from users where email = $1
             on conflict (user_id, network) do update set seen_at = excluded.seen_at
                 where known.seen_at < $4",
        );
        let statement = statement.bind(account.as_str()).bind(network.as_slice());
        let statement = statement.bind(now).bind(now - NOTED_EVERY);
        tx.execute(statement).await.map(|_| ())
    })
    .await
}

/// Whether the user of this account was on this network within 90 days.
///
/// One query, whether there is such a user or not, so that time does not tell.
pub async fn is_familiar(
    db: &Db,
    account: &Account,
    network: [u8; KEY],
    now: Timestamp,
) -> Result<bool, StoreError> {
    db.transaction("throttle.is_familiar", async |tx| {
        let statement = sqlx::query(
            "select exists (
                 select from familiar_networks as known join users on users.id = known.user_id
                 where users.email = $1 and known.network = $2 and known.seen_at > $3)",
        );
        let statement = statement.bind(account.as_str()).bind(network.as_slice());
        tx.fetch_bool(statement.bind(now - FAMILIAR_FOR)).await
    })
    .await
}

/// Erases limits of which all is earned back, and networks that are not familiar any more, at most 1000 of each at a time,
/// and answers how many.
///
/// So a row is kept no longer than it makes a difference: an attempt leaves up to three behind, for a minute.
pub async fn delete_full(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    db.transaction("throttle.delete_full", async |tx| {
        let statement = sqlx::query(
            "delete from throttles where key in (
                 select key from throttles where full_at <= $1 limit $2 for update skip locked)",
        );
        let limits = tx.execute(statement.bind(now).bind(STEP)).await?;
        let statement = sqlx::query(
            "delete from familiar_networks where (user_id, network) in (
                 select user_id, network from familiar_networks where seen_at <= $1
                 limit $2 for update skip locked)",
        );
        let networks = statement.bind(now - FAMILIAR_FOR).bind(STEP);
        Ok(limits + tx.execute(networks).await?)
    })
    .await
}
