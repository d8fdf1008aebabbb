//! Closed hours of each series, kept summed up: derived from samples, never counted on.
//!
//! Two hours in `rollup_horizon` make it safe. Whoever stores a sample of an hour before `marking_hour`
//! marks that hour in `stale_hours`, in the same transaction, and holds a shared lock from reading it to
//! COMMIT; the hour is moved under the exclusive lock, so between such transactions. Queries trust kept
//! hours before `closed_hour` that are not marked. It follows `marking_hour` once every hour between that
//! has samples is marked. A mark goes in the very statement that sums up what it saw.

use super::{ONE_SNAPSHOT, one};
use crate::{Db, StoreError, Tx};
use domain::Timestamp;
use sqlx::Row;

/// Seconds after the end of an hour until it is closed: what arrives until then needs no mark.
const GRACE: i64 = 600;

/// Most hours of series that are summed up in one statement.
const MOST: i64 = 500;

/// Held by the one instance that sums up.
const LOCK: i64 = 0x5265_6164_6f75_7404;

/// How many hours are summed up at once, which depends on how many samples there are in each.
#[derive(Debug)]
pub struct Summing {
    most: i64,
}

impl Default for Summing {
    fn default() -> Self {
        Self { most: MOST }
    }
}

impl Summing {
    /// After so many hours were summed up in time.
    fn done(&mut self, hours: i64) {
        if hours == self.most {
            self.most = (2 * self.most).min(MOST);
        }
    }

    /// After it took too long; answers whether fewer hours would help.
    fn slow(&mut self) -> bool {
        let before = self.most;
        self.most = (before / 4).max(1);
        self.most < before
    }
}

/// Takes one step, and answers how much was done: 0 where there is nothing to do, or another instance is
/// at it.
pub async fn step(db: &Db, now: Timestamp, summing: &mut Summing) -> Result<u64, StoreError> {
    let target = (now.timestamp() - GRACE).div_euclid(3_600);
    let (marking, _) = horizon(db).await?;
    if marking < target {
        go_on(move_marking_hour(db, target).await)?;
    }
    // One hour at a time, since each looks at all series, and there may be many hours after a long rest.
    let closed = go_on(close(db).await)?.unwrap_or(false);
    match sum_up(db, summing).await {
        Ok(hours) => {
            summing.done(hours);
            Ok(hours.unsigned_abs() + u64::from(closed))
        }
        Err(error @ StoreError::Timeout(_)) if summing.slow() => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                most = summing.most,
                "summing up less at once"
            );
            Ok(1)
        }
        Err(error) => Err(error),
    }
}

/// What can wait keeps nothing else from being done.
fn go_on<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_retryable() || matches!(error, StoreError::Timeout(_)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the horizon of rollups stays where it is"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn horizon(db: &Db) -> Result<(i64, i64), StoreError> {
    db.transaction("rollup.horizon", async |tx| {
        let statement = "select marking_hour::bigint, closed_hour::bigint from rollup_horizon";
        let row = tx.fetch_optional(sqlx::query(statement)).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("rollup_horizon", "has no row"))?;
        Ok((row.try_get(0)?, row.try_get(1)?))
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

/// Whether nobody else is summing up, as long as this transaction takes. It sees the database as it is before
/// the lock is had; if someone else changed an hour of its own just then, it is run again.
async fn is_alone(tx: &Tx) -> Result<bool, StoreError> {
    let lock = format!("select pg_try_advisory_xact_lock({LOCK})");
    let [done] = tx.message([format!("{ONE_SNAPSHOT}; {lock}")]).await?;
    one(&done)
}

/// Marks what there is in an hour that nobody marked, so that from now on it can be trusted but for marks,
/// and answers whether there was such an hour.
///
/// All that was stored without a mark is committed and seen here.
async fn close(db: &Db) -> Result<bool, StoreError> {
    db.transaction("rollup.close", async |tx| {
        if !is_alone(tx).await? {
            return Ok(false);
        }
        let next = sqlx::query(
            "select closed_hour::bigint from rollup_horizon where closed_hour < marking_hour",
        );
        let Some(row) = tx.fetch_optional(next).await? else {
            return Ok(false);
        };
        let hour: i64 = row.try_get(0)?;
        let next = hour + 1;
        let statement = format!(
            "insert into stale_hours (series_id, hour) select id, {hour} from series \
             where exists (select from samples where series_id = series.id \
                           and recorded_at >= to_timestamp({hour} * 3600.0) \
                           and recorded_at < to_timestamp({next} * 3600.0))"
        );
        let horizon = format!("update rollup_horizon set closed_hour = {next}");
        let quick = "set local enable_seqscan = off".to_owned();
        tx.message([quick, statement, horizon]).await?;
        Ok(true)
    })
    .await
}

/// Sums up marked hours from their samples, takes away the marks that were seen, and answers how many hours
/// there were.
async fn sum_up(db: &Db, summing: &Summing) -> Result<i64, StoreError> {
    let most = summing.most;
    let statement = summing_up(most);
    db.transaction("rollup.hours", async |tx| {
        if !is_alone(tx).await? {
            return Ok(0);
        }
        let mut message = vec!["set local enable_seqscan = off".to_owned()];
        if most > 1 {
            // Fewer hours at once would be quicker, and others wait for this connection.
            message.push("set local statement_timeout = '3s'".to_owned());
        }
        tx.message([message.join("; ")]).await?;
        let [done] = tx.message([statement.clone()]).await?;
        match done.rows.first() {
            Some(row) => Ok(row.try_get(0)?),
            None => Ok(0),
        }
    })
    .await
}

/// A mark that is not seen belongs to samples that are not seen, and stays. It begins with a series by chance, so
/// that those which are marked all the time keep no other from its turn. Each hour is looked up behind the one before, however often it is marked. A series that is
/// being removed is left out.
fn summing_up(most: i64) -> String {
    format!(
        "with recursive pivot as materialized \
             (select coalesce(floor(random() * max(id)), 0)::integer as id from series), \
         seen as ( \
             (select series_id, hour from ( \
                 (select 1 as turn, series_id, hour from stale_hours \
                  where series_id >= (select id from pivot) order by series_id, hour limit 1) \
                 union all \
                 (select 2, series_id, hour from stale_hours order by series_id, hour limit 1)) as first \
              order by turn limit 1) \
             union all \
             select next.series_id, next.hour from seen cross join lateral ( \
                 select series_id, hour from stale_hours \
                 where (stale_hours.series_id, stale_hours.hour) > (seen.series_id, seen.hour) \
                 order by series_id, hour limit 1) as next), \
         picked as materialized (select series_id, hour from seen limit {most}), \
         there as materialized (select id from series \
             where id in (select series_id from picked) for key share skip locked), \
         gone as (delete from stale_hours where ctid = any (array( \
             select marks.ctid from picked cross join lateral ( \
                 select ctid from stale_hours where stale_hours.series_id = picked.series_id \
                 and stale_hours.hour = picked.hour offset 0) as marks \
             where picked.series_id in (select id from there) \
                or not exists (select from series where id = picked.series_id)))), \
         stored as (insert into series_hours \
             (series_id, hour, first_at, last_at, count, sum, sum_squares, min, max, first, last) \
             select picked.series_id, picked.hour, first_at, last_at, count, sum, sum_squares, min, max, \
                    (select value from samples where series_id = picked.series_id and recorded_at = first_at), \
                    (select value from samples where series_id = picked.series_id and recorded_at = last_at) \
             from picked \
             join there on there.id = picked.series_id \
             cross join lateral ( \
                 select min(recorded_at) as first_at, max(recorded_at) as last_at, count(*) as count, \
                        sum(value) as sum, sum(value * value) as sum_squares, \
                        min(value) as min, max(value) as max \
                 from samples where samples.series_id = picked.series_id \
                   and recorded_at >= to_timestamp(picked.hour * 3600.0) \
                   and recorded_at < to_timestamp((picked.hour + 1) * 3600.0)) as hour \
             where count > 0 \
             on conflict (series_id, hour) do update set \
                 first_at = excluded.first_at, last_at = excluded.last_at, count = excluded.count, \
                 sum = excluded.sum, sum_squares = excluded.sum_squares, \
                 min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last) \
         select count(*) from picked"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_hours_are_summed_up_at_once_after_it_took_too_long() {
        let mut summing = Summing::default();
        assert!(summing.slow());
        assert_eq!(summing.most, 125);
        summing.done(7);
        assert_eq!(summing.most, 125);
        summing.done(125);
        assert_eq!(summing.most, 250);
        while summing.slow() {}
        assert_eq!(summing.most, 1);
    }
}
