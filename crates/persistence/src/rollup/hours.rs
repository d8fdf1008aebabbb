//! Closed hours of each series, kept summed up: derived from samples, never counted on.
//!
//! Two hours in `rollup_horizon` make it safe. Whoever stores a sample of an hour before `marking_hour`
//! marks that hour in `stale_hours`, in the same transaction, and holds a shared lock from reading it to
//! COMMIT; the hour is moved under the exclusive lock, so between such transactions. Queries trust kept
//! hours before `closed_hour` that are not marked. It follows `marking_hour` once every hour between that
//! has samples is marked. A mark goes in the very statement that sums up what it saw.

use crate::{Db, StoreError, Tx};
use domain::Timestamp;
use sqlx::Row;

/// Seconds after the end of an hour until it is closed: what arrives until then needs no mark.
const GRACE: i64 = 600;

/// Most hours of series that are summed up in one step, and most marks that are looked at for them.
const STEP: i64 = 500;
const MARKS: i64 = 5_000;

/// Held by the one instance that sums up. Of its own, so that partitions are made meanwhile.
const LOCK: i64 = 0x5265_6164_6f75_7404;

/// Takes one step, and answers how much was done: 0 where there is nothing to do, or another instance is
/// at it.
pub async fn step(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    let target = (now.timestamp() - GRACE).div_euclid(3_600);
    if marking_hour(db).await? < target {
        move_marking_hour(db, target).await?;
    }
    db.transaction("rollup.hours", async |tx| {
        let [lock, horizon] = tx
            .message([
                format!("select pg_try_advisory_xact_lock({LOCK})"),
                "select marking_hour::bigint, closed_hour::bigint from rollup_horizon".to_owned(),
            ])
            .await?;
        let (Some(lock), Some(horizon)) = (lock.rows.first(), horizon.rows.first()) else {
            return Err(StoreError::corrupt("rollup_horizon", "has no row"));
        };
        if !lock.try_get(0)? {
            return Ok(0);
        }
        let (marking, closed): (i64, i64) = (horizon.try_get(0)?, horizon.try_get(1)?);
        let mut done = 0;
        if closed < marking {
            // One at a time, since each looks at all series, and there may be many hours after a long rest.
            close(tx, closed).await?;
            done += 1;
        }
        Ok(done + sum_up(tx).await?)
    })
    .await
}

async fn marking_hour(db: &Db) -> Result<i64, StoreError> {
    db.transaction("rollup.horizon", async |tx| {
        let statement = sqlx::query("select marking_hour::bigint from rollup_horizon");
        let row = tx.fetch_optional(statement).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("rollup_horizon", "has no row"))?;
        Ok(row.try_get(0)?)
    })
    .await
}

/// Waits for a moment without ingest; ingest in turn waits for this, so it does not wait for long.
async fn move_marking_hour(db: &Db, target: i64) -> Result<(), StoreError> {
    db.transaction("rollup.horizon", async |tx| {
        tx.message([
            "set local lock_timeout = '100ms'".to_owned(),
            format!("select move_marking_hour({target})"),
        ])
        .await
        .map(|_| ())
    })
    .await
}

/// Marks what there is in an hour that nobody marked, so that from now on it can be trusted but for marks.
///
/// All that was stored without a mark is committed and seen here.
async fn close(tx: &Tx, hour: i64) -> Result<(), StoreError> {
    let next = hour + 1;
    let statement = format!(
        "insert into stale_hours (series_id, hour) select id, {hour} from series \
         where exists (select from samples where series_id = series.id \
                       and recorded_at >= to_timestamp({hour} * 3600.0) \
                       and recorded_at < to_timestamp({next} * 3600.0))"
    );
    let horizon = format!("update rollup_horizon set closed_hour = {next}");
    let quick = "set local enable_seqscan = off".to_owned();
    tx.message([quick, statement, horizon]).await.map(|_| ())
}

/// Sums up marked hours from their samples, and takes away the marks that were seen.
///
/// One statement, so one snapshot: a mark that is not seen belongs to samples that are not seen, and
/// stays. It begins with a series by chance, so that those which are marked all the time keep no other
/// from its turn. A series that is being purged is waited for, and then is not there.
async fn sum_up(tx: &Tx) -> Result<u64, StoreError> {
    let statement = format!(
        "with pivot as materialized (select coalesce(floor(random() * max(id)), 0)::integer as id from series), \
         seen as (select * from ( \
             select series_id, hour from stale_hours where series_id >= (select id from pivot) \
             union all \
             select series_id, hour from stale_hours where series_id < (select id from pivot)) as marks \
             limit {MARKS}), \
         picked as materialized (select distinct series_id, hour from seen limit {STEP}), \
         gone as (delete from stale_hours using picked \
                  where stale_hours.series_id = picked.series_id and stale_hours.hour = picked.hour), \
         stored as (insert into series_hours \
             (series_id, hour, first_at, last_at, count, sum, sum_squares, min, max, first, last) \
             select picked.series_id, picked.hour, first_at, last_at, count, sum, sum_squares, min, max, \
                    (select value from samples where series_id = picked.series_id and recorded_at = first_at), \
                    (select value from samples where series_id = picked.series_id and recorded_at = last_at) \
             from picked \
             join series on series.id = picked.series_id \
             cross join lateral ( \
                 select min(recorded_at) as first_at, max(recorded_at) as last_at, count(*) as count, \
                        sum(value) as sum, sum(value * value) as sum_squares, \
                        min(value) as min, max(value) as max \
                 from samples where samples.series_id = picked.series_id \
                   and recorded_at >= to_timestamp(picked.hour * 3600.0) \
                   and recorded_at < to_timestamp((picked.hour + 1) * 3600.0)) as hour \
             where count > 0 for key share of series \
             on conflict (series_id, hour) do update set \
                 first_at = excluded.first_at, last_at = excluded.last_at, count = excluded.count, \
                 sum = excluded.sum, sum_squares = excluded.sum_squares, \
                 min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last) \
         select count(*) from picked"
    );
    let quick = "set local enable_seqscan = off".to_owned();
    let [_, done] = tx.message([quick, statement]).await?;
    let hours: i64 = match done.rows.first() {
        Some(row) => row.try_get(0)?,
        None => 0,
    };
    Ok(hours.unsigned_abs())
}
