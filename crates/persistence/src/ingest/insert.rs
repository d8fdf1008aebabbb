//! Step 2: samples, each stored at most once.

use super::resolve::Row;
use crate::{StoreError, Tx, reading::value};
use domain::{
    Timestamp,
    decimal::ExactDecimal,
    reading::{Outcome, ReadingError},
};
use sqlx::{Row as _, postgres::PgArguments, query::Query};
use std::collections::{HashMap, HashSet};

type Key = (i32, Timestamp);

/// Stores what is new and answers what became of each row, in order.
///
/// Of rows with the same series and time the first one counts; the others are duplicates of it, or
/// conflict with it, just as they would with one that was stored long ago.
pub(super) async fn insert(tx: &Tx, rows: &[Option<Row>]) -> Result<Vec<Outcome>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen = HashSet::with_capacity(rows.len());
    let mut first: Vec<&Row> = rows
        .iter()
        .flatten()
        .filter(|row| seen.insert(key(row)))
        .collect();
    // Neighbours in the index are written together.
    first.sort_unstable_by_key(|row| key(row));

    let mut created = insert_new(tx, &first).await?;
    first.retain(|row| !created.contains(&key(row)));
    let mut values = stored_values(tx, &first).await?;

    let mut outcomes = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(row) = row else {
            outcomes.push(Outcome::Rejected(ReadingError::TooManyMetrics));
            continue;
        };
        if created.remove(&key(row)) {
            values.insert(key(row), row.value);
            outcomes.push(Outcome::Created);
            continue;
        }
        let stored = values.get(&key(row)).ok_or_else(|| {
            StoreError::corrupt("samples", "a sample was refused and is not there")
        })?;
        outcomes.push(outcome_beside(row, *stored));
    }
    Ok(outcomes)
}

fn key(row: &Row) -> Key {
    (row.series_id, row.recorded_at)
}

async fn insert_new(tx: &Tx, rows: &[&Row]) -> Result<HashSet<Key>, StoreError> {
    let statement = sqlx::query(
        "insert into samples (series_id, recorded_at, value)
         select * from unnest($1::integer[], $2::timestamptz[], $3::text[]::numeric[])
         on conflict do nothing
         returning series_id, recorded_at",
    );
    let values: Vec<String> = rows.iter().map(|row| row.value.to_string()).collect();
    let returned = tx
        .fetch_all(bind_keys(statement, rows).bind(values))
        .await?;
    returned
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// The values that are stored where an insert was refused.
async fn stored_values(tx: &Tx, rows: &[&Row]) -> Result<HashMap<Key, ExactDecimal>, StoreError> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = sqlx::query(
        "select series_id, recorded_at, value::text
         from unnest($1::integer[], $2::timestamptz[]) as refused (series_id, recorded_at)
         join samples using (series_id, recorded_at)
         where samples.recorded_at between $3 and $4",
    );
    // The bounds say the same again, so that only the partitions between them are looked at.
    let times = || rows.iter().map(|row| row.recorded_at);
    let statement = bind_keys(statement, rows)
        .bind(times().min())
        .bind(times().max());
    let found = tx.fetch_all(statement).await?;
    found
        .iter()
        .map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), value(row.try_get(2)?)?)))
        .collect()
}

fn bind_keys<'q>(
    statement: Query<'q, sqlx::Postgres, PgArguments>,
    rows: &[&Row],
) -> Query<'q, sqlx::Postgres, PgArguments> {
    let series: Vec<i32> = rows.iter().map(|row| row.series_id).collect();
    let times: Vec<Timestamp> = rows.iter().map(|row| row.recorded_at).collect();
    statement.bind(series).bind(times)
}

/// The outcome of a row that was not stored now, from the value that is.
fn outcome_beside(row: &Row, stored: ExactDecimal) -> Outcome {
    if row.value == stored {
        Outcome::Duplicate
    } else {
        Outcome::Rejected(ReadingError::Conflict)
    }
}
