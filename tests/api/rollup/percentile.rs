//! Percentiles, deviations, first and last of random readings, against what the test computes by itself.

use std::{collections::BTreeMap, str::FromStr};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::*;

#[derive(Debug, Deserialize)]
struct Rollup {
    data: [Series; 1],
}

#[derive(Debug, Deserialize)]
struct Series {
    buckets: Vec<BTreeMap<String, Box<RawValue>>>,
}

/// The number as it stands in the answer, to its last digit; none for null.
fn number(bucket: &BTreeMap<String, Box<RawValue>>, member: &str) -> Option<Decimal> {
    let text = bucket[member].get();
    (text != "null").then(|| Decimal::from_str(text).unwrap())
}

/// Between the two nearest ranks (type 7 of Hyndman and Fan), in whole numbers.
fn percentile(sorted: &[Decimal], percent: usize) -> Decimal {
    let rank = (sorted.len() - 1) * percent;
    let (low, part) = (sorted[rank / 100], rank % 100);
    let high = sorted[(rank / 100 + 1).min(sorted.len() - 1)];
    low + (high - low) * Decimal::new(i64::try_from(part).unwrap(), 2)
}

fn variance(values: &[Decimal]) -> Option<Decimal> {
    let count = Decimal::from(values.len());
    let mean = values.iter().sum::<Decimal>() / count;
    let squares: Decimal = values.iter().map(|it| (it - mean) * (it - mean)).sum();
    (values.len() > 1).then(|| squares / (count - Decimal::ONE))
}

/// Hundredths by time: of some hours one, of most many, and some of them several times the same.
fn random_values() -> BTreeMap<DateTime<Utc>, Decimal> {
    let start = time("2026-01-31T00:00:00Z");
    let mut seed = Uuid::new_v4().as_u128();
    println!("seed {seed}");
    let mut random = |below: u128| {
        seed = seed.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(1);
        i64::try_from((seed >> 64) % below).unwrap()
    };
    let mut known = BTreeMap::new();
    for hour in 0..24 {
        for _ in 0..[1, 2, 3, 10, 101, 200][usize::try_from(random(6)).unwrap()] {
            let at = start + TimeDelta::hours(hour) + TimeDelta::milliseconds(random(3_600_000));
            let range = if hour % 2 == 0 { 100 } else { 2_000_000 };
            let value = Decimal::new(random(range) - i64::try_from(range / 2).unwrap(), 2);
            known.entry(at).or_insert(value);
        }
    }
    known
}

#[tokio::test]
async fn percentiles_and_deviations_equal_an_independent_computation() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let known = random_values();
    let all = known.iter().map(|(at, value)| reading_at(*at, value));
    device.ingest_text(&batch(all)).await.expect(200);
    let percents = [1, 5, 25, 33, 50, 75, 90, 95, 99];
    let names: Vec<_> = percents.iter().map(|it| format!("p{it}")).collect();
    let agg = format!("stddev,first,last,median,{}", names.join(","));
    for (interval, hours) in [("1h", 1), ("6h", 6), ("1d", 24)] {
        let path = device.path(&format!(
            "/rollups?metric=t&interval={interval}&agg={agg}&{DAY}"
        ));
        let Rollup {
            data: [Series { buckets }],
        } = user.get(&path).await.expect(200).parse();
        assert_eq!(buckets.len(), 24 / hours);
        for (index, bucket) in buckets.iter().enumerate() {
            let length = TimeDelta::hours(i64::try_from(hours).unwrap());
            let start = time("2026-01-31T00:00:00Z") + length * i32::try_from(index).unwrap();
            let values: Vec<_> = known
                .range(start..start + length)
                .map(|(_, it)| *it)
                .collect();
            assert_eq!(number(bucket, "count"), Some(Decimal::from(values.len())));
            assert_eq!(number(bucket, "first"), values.first().copied());
            assert_eq!(number(bucket, "last"), values.last().copied());
            deviates(number(bucket, "stddev"), variance(&values));
            let mut sorted = values;
            sorted.sort_unstable();
            assert_eq!(number(bucket, "median"), Some(percentile(&sorted, 50)));
            for (percent, name) in percents.into_iter().zip(&names) {
                let expected = percentile(&sorted, percent);
                assert_eq!(
                    number(bucket, name),
                    Some(expected),
                    "{interval} {name} {sorted:?}"
                );
            }
        }
    }
}

/// A root need not end: its square is good to 14 significant digits at least.
fn deviates(found: Option<Decimal>, variance: Option<Decimal>) {
    let (Some(found), Some(variance)) = (found, variance) else {
        assert_eq!(found, variance);
        return;
    };
    let error = (found * found - variance).abs();
    assert!(
        error <= variance * Decimal::new(1, 14),
        "{found}² is not {variance}"
    );
}

#[tokio::test]
async fn the_last_value_is_the_one_measured_last_in_whatever_order_they_arrive() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for (minute, value) in [(30, 3), (59, 9), (0, 1), (45, 5)] {
        let at = time("2026-01-31T12:00:00Z") + TimeDelta::minutes(minute);
        device.ingest_text(&reading_at(at, value)).await.expect(201);
    }
    let path = device.path(&format!(
        "/rollups?metric=t&interval=1h&agg=first,last&{DAY}"
    ));
    let answer = user.get(&path).await.expect(200);
    let [bucket] = &buckets(&answer, 0)[..] else {
        panic!("{}", answer.text)
    };
    assert_eq!((&bucket["first"], &bucket["last"]), (&json!(1), &json!(9)));
}

#[tokio::test]
async fn percentiles_have_as_many_digits_as_it_takes() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let noon = time("2026-01-31T12:00:00Z");
    let values = [
        "0.0000000000000000000000000001",
        "9999999999999999999999999999",
    ];
    let all = values
        .iter()
        .enumerate()
        .map(|(n, value)| reading_at(noon + TimeDelta::seconds(i64::try_from(n).unwrap()), value));
    device.ingest_text(&batch(all)).await.expect(200);
    let path = device.path(&format!(
        "/rollups?metric=t&interval=1h&agg=median,p1&{DAY}"
    ));
    let answer = user.get(&path).await.expect(200);
    for member in [
        r#""median":4999999999999999999999999999.50000000000000000000000000005"#,
        r#""p1":99999999999999999999999999.990000000000000000000000000099"#,
    ] {
        assert!(answer.text.contains(member), "{}", answer.text);
    }
}
