//! Rows of an answer, as buckets.

use super::statement::NULL;
use crate::{StoreError, db::Done};
use domain::{
    Timestamp,
    decimal::{DecimalError, WideDecimal},
    rollup::{Aggregate, Bucket, RollupQuery, SeriesRollup},
};
use sqlx::Row;
use std::{collections::HashMap, str::FromStr};

/// Sorts windows into the entries that their series belong to, in the order of time.
pub(super) fn buckets(
    done: &[Done],
    query: &RollupQuery,
    groups: &HashMap<i32, usize>,
    rollups: &mut [SeriesRollup],
) -> Result<(), StoreError> {
    let aggregates: Vec<Aggregate> = query.aggregates.iter().collect();
    for row in done.iter().flat_map(|it| &it.rows) {
        let series: i32 = row.try_get(0)?;
        let place = groups.get(&series);
        let rollup = place.and_then(|place| rollups.get_mut(*place));
        let rollup =
            rollup.ok_or_else(|| corrupt("a bucket is of a series that was not asked for"))?;
        let windows: &str = row.try_get(1)?;
        for window in windows.split(',') {
            rollup.buckets.push(bucket(window, query, &aggregates)?);
        }
    }
    for rollup in rollups {
        rollup.buckets.sort_by_key(|bucket| bucket.start);
    }
    Ok(())
}

fn bucket(text: &str, query: &RollupQuery, aggregates: &[Aggregate]) -> Result<Bucket, StoreError> {
    let mut words = text.split(' ');
    let start = Timestamp::from_timestamp_micros(number(words.next())?);
    let count = number(words.next())?;
    let edges = query.windows.windows.edges();
    let window = start.and_then(|start| {
        let place = edges.binary_search(&start).ok()?;
        Some((start, *edges.get(place + 1)?))
    });
    let (start, end) = window.ok_or_else(|| corrupt("a bucket begins where no window does"))?;
    let mut values = Vec::with_capacity(aggregates.len());
    for aggregate in aggregates {
        let digits = words.next().ok_or_else(|| corrupt("a value is missing"))?;
        values.push(match digits {
            NULL => None,
            digits => Some(
                value(*aggregate, digits, count)
                    .map_err(|error| StoreError::corrupt("samples.value", error))?,
            ),
        });
    }
    Ok(Bucket {
        start,
        end,
        count,
        values,
    })
}

/// What is one of several equal numbers (1.0 and 1.00), or was computed, is without trailing zeros. A number may
/// have more digits than any decimal here holds.
fn value(aggregate: Aggregate, digits: &str, count: i64) -> Result<WideDecimal, DecimalError> {
    match aggregate {
        Aggregate::Count | Aggregate::Sum | Aggregate::First | Aggregate::Last => {
            WideDecimal::parse(digits)
        }
        Aggregate::Avg => WideDecimal::mean(digits, count),
        Aggregate::Min
        | Aggregate::Max
        | Aggregate::Stddev
        | Aggregate::Median
        | Aggregate::Percentile(_) => WideDecimal::parse_trimmed(digits),
    }
}

fn number<T: FromStr>(text: Option<&str>) -> Result<T, StoreError> {
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| corrupt("an answer has no number where one is due"))
}

fn corrupt(what: &str) -> StoreError {
    StoreError::corrupt("rollup", what)
}
