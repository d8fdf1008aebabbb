//! Monthly partitions of `samples`, made before they are needed or when they are.

use crate::{
    Db, StoreError, Tx,
    db::{End, WriterLane},
};
use chrono::{Datelike, Months, NaiveDate};
use domain::Timestamp;
use sqlx::{AssertSqlSafe, Row};

/// Key of the advisory lock that serialises the making of partitions among all instances.
const LOCK: i64 = 0x5265_6164_6f75_7402;

/// How many months after the current one have their partition already.
const MONTHS_AHEAD: u32 = 2;

/// Most months that are moved out of the default partition at a time.
const STRAYS: i64 = 12;

/// Most samples that are moved into a partition when it is made: about as many as a second's work,
/// during which nobody reads or writes samples.
const MOST_MOVED: i64 = 100_000;

/// A calendar month in UTC, by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(NaiveDate);

impl Month {
    /// The month that an instant lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let date = at.date_naive();
        // Every month has a first day.
        Self(date.with_day(1).unwrap_or(date))
    }

    fn plus(self, months: u32) -> Self {
        Self(
            self.0
                .checked_add_months(Months::new(months))
                .unwrap_or(self.0),
        )
    }

    /// The name of its partition, such as `samples_2026_01`.
    fn table(self) -> String {
        self.0.format("samples_%Y_%m").to_string()
    }

    /// Its first instant as a literal.
    fn start(self) -> String {
        self.0.format("'%Y-%m-%d 00:00:00+00'").to_string()
    }
}

/// Makes the partitions of the current and the coming months, and of those months whose samples
/// are in the default partition. Any number of instances may do so at once.
///
/// Answers whether it made any, after which there may be more samples to move.
pub async fn ensure_ahead(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    let mut months: Vec<Month> = (0..=MONTHS_AHEAD).map(|n| Month::of(now).plus(n)).collect();
    months.extend(strays(db).await?);
    let mut made = false;
    for month in months {
        made |= db
            .transaction("partition.ensure", async |tx| ensure(tx, month).await)
            .await?;
    }
    Ok(made)
}

async fn strays(db: &Db) -> Result<Vec<Month>, StoreError> {
    db.transaction("partition.strays", async |tx| {
        let statement = sqlx::query(
            "select distinct date_trunc('month', recorded_at, 'UTC') from samples_default order by 1 limit $1",
        );
        let rows = tx.fetch_all(statement.bind(STRAYS)).await?;
        let months = rows.iter().map(|row| Ok(Month::of(row.try_get(0)?)));
        months.collect()
    })
    .await
}

/// Makes a partition that a batch needs, on the writer's own lane.
///
/// One that cannot be made within a second, because a long query holds the default partition, is
/// left for [`ensure_ahead`]: its samples go to the default partition meanwhile.
pub(crate) async fn ensure_for_ingest(
    lane: &mut WriterLane,
    month: Month,
) -> Result<(), StoreError> {
    lane.transaction("partition.ensure", async |tx| {
        ensure(tx, month).await.map(End::Commit)
    })
    .await
    .map(|_| ())
}

/// Makes one partition if it is not there, taking over what the default partition holds of it, and
/// answers whether it made one.
async fn ensure(tx: &Tx, month: Month) -> Result<bool, StoreError> {
    let name = month.table();
    if exists(tx, &name).await? {
        return Ok(false);
    }
    // Also for the others who make partitions: ingest waits no longer than this.
    run(tx, "set local lock_timeout = '300ms'").await?;
    tx.execute(sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK))
        .await?;
    if exists(tx, &name).await? {
        return Ok(false);
    }
    let (start, end) = (month.start(), month.plus(1).start());
    let range = format!("recorded_at >= {start} and recorded_at < {end}");
    // A query that is planned before samples move and runs after would look for them where they were.
    // So where there are any, nobody may even plan: the parent is locked whole.
    let strays = count_strays(tx, &range).await?;
    if strays > MOST_MOVED {
        tracing::warn!(
            partition = name,
            "too many samples to move: they stay in the default partition"
        );
        return Ok(false);
    }
    let mode = if strays > 0 {
        "access exclusive"
    } else {
        "share update exclusive"
    };
    // In the order in which an insert takes them; nobody may add to the month meanwhile.
    run(tx, format!("lock table only samples in {mode} mode")).await?;
    run(tx, "lock table samples_default in access exclusive mode").await?;
    if strays == 0 && count_strays(tx, &range).await? > 0 {
        return Err(StoreError::came_between());
    }
    run(
        tx,
        format!("create table {name} (like samples including defaults including constraints)"),
    )
    .await?;
    run(
        tx,
        format!("insert into {name} select * from samples_default where {range}"),
    )
    .await?;
    run(tx, format!("delete from samples_default where {range}")).await?;
    run(
        tx,
        format!("alter table samples attach partition {name} for values from ({start}) to ({end})"),
    )
    .await?;
    tracing::info!(partition = name, "partition made");
    Ok(true)
}

async fn run(tx: &Tx, sql: impl Into<String>) -> Result<(), StoreError> {
    tx.execute(sqlx::query(AssertSqlSafe(sql.into())))
        .await
        .map(|_| ())
}

/// How many samples of a month the default partition holds, counted no further than needed.
async fn count_strays(tx: &Tx, range: &str) -> Result<i64, StoreError> {
    let sql = format!(
        "select count(*) from (select from samples_default where {range} limit {MOST_MOVED} + 1) as stray"
    );
    match tx.fetch_optional(sqlx::query(AssertSqlSafe(sql))).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(0),
    }
}

async fn exists(tx: &Tx, table: &str) -> Result<bool, StoreError> {
    // By the snapshot of the statement: `to_regclass` answers from a cache that the lock does not renew, so
    // that what another transaction made meanwhile is not seen.
    let statement = sqlx::query(
        "select exists (select from pg_class where relname = $1
                        and oid in (select inhrelid from pg_inherits where inhparent = 'samples'::regclass))",
    );
    tx.fetch_bool(statement.bind(table)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let december = Month::of("2026-12-31T23:59:59.999999Z".parse().unwrap());
        assert_eq!(december.table(), "samples_2026_12");
        assert_eq!(december.start(), "'2026-12-01 00:00:00+00'");
        assert_eq!(december.plus(1).start(), "'2027-01-01 00:00:00+00'");
    }
}
