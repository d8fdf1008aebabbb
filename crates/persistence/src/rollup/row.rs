//! Rows of an answer, as buckets.

use crate::{StoreError, db::Done};
use domain::{
    Timestamp,
    decimal::{DecimalError, WideDecimal},
    rollup::{Aggregate, Bucket, RollupQuery, SeriesRollup},
};
use sqlx::{Row, ValueRef, postgres::PgRow};
use std::{collections::HashMap, str::FromStr};

/// Sorts rows into the entries that they belong to, in the order of time.
pub(super) fn buckets(
    done: &[Done],
    query: &RollupQuery,
    groups: &HashMap<i32, usize>,
    rollups: &mut [SeriesRollup],
) -> Result<(), StoreError> {
    let aggregates: Vec<Aggregate> = query.aggregates.iter().collect();
    for row in done.iter().flat_map(|it| &it.rows) {
        let place = groups.get(&number(row, 0)?);
        let rollup = place.and_then(|place| rollups.get_mut(*place));
        let rollup =
            rollup.ok_or_else(|| corrupt("a bucket is of a series that was not asked for"))?;
        rollup.buckets.push(bucket(row, query, &aggregates)?);
    }
    for rollup in rollups {
        rollup.buckets.sort_by_key(|bucket| bucket.start);
    }
    Ok(())
}

fn bucket(
    row: &PgRow,
    query: &RollupQuery,
    aggregates: &[Aggregate],
) -> Result<Bucket, StoreError> {
    let edges = query.windows.windows.edges();
    let start = Timestamp::from_timestamp_micros(number(row, 1)?);
    let window = start.and_then(|start| {
        let place = edges.binary_search(&start).ok()?;
        Some((start, *edges.get(place + 1)?))
    });
    let (start, end) = window.ok_or_else(|| corrupt("a bucket begins where no window does"))?;
    let values = aggregates.iter().zip(3..).map(|(aggregate, place)| {
        let value = text(row, place)?.map(|digits| value(*aggregate, digits));
        value
            .transpose()
            .map_err(|error| StoreError::corrupt("samples.value", error))
    });
    Ok(Bucket {
        start,
        end,
        count: number(row, 2)?,
        values: values.collect::<Result<_, _>>()?,
    })
}

/// What is one of several equal numbers (1.0 and 1.00), or was computed, is without trailing zeros.
fn value(aggregate: Aggregate, digits: &str) -> Result<WideDecimal, DecimalError> {
    match aggregate {
        Aggregate::Count | Aggregate::Sum | Aggregate::First | Aggregate::Last => {
            WideDecimal::parse(digits)
        }
        Aggregate::Avg
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::Stddev
        | Aggregate::Median
        | Aggregate::Percentile(_) => WideDecimal::parse_trimmed(digits),
    }
}

/// A value as the database writes it, since a sum may have more digits than any decimal here holds; values of
/// a message come as text.
fn text(row: &PgRow, place: usize) -> Result<Option<&str>, StoreError> {
    let value = row.try_get_raw(place)?;
    if value.is_null() {
        return Ok(None);
    }
    match value.as_str() {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(StoreError::corrupt("rollup", error)),
    }
}

fn number<T: FromStr>(row: &PgRow, place: usize) -> Result<T, StoreError> {
    let number = text(row, place)?.and_then(|text| text.parse().ok());
    number.ok_or_else(|| corrupt("an answer has no number where one is due"))
}

fn corrupt(what: &str) -> StoreError {
    StoreError::corrupt("rollup", what)
}
