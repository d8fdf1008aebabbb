//! Rollups of random readings against sums in whole numbers, made by the test alone.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::support::{App, Device, Random, User, batch, reading, reading_at, time};

/// Every value is a whole number of millionths.
const SCALE: u32 = 6;

#[derive(Debug, Deserialize)]
struct Rollup {
    data: Vec<Series>,
}

#[derive(Debug, Deserialize)]
struct Series {
    metric: String,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    count: usize,
    avg: Box<RawValue>,
    min: Box<RawValue>,
    max: Box<RawValue>,
    sum: Box<RawValue>,
}

fn decimal(raw: &RawValue) -> Decimal {
    Decimal::from_str(raw.get()).unwrap()
}

/// A value in millionths, by metric and time.
type Known = BTreeMap<(&'static str, DateTime<Utc>), i64>;

/// The digits of a number of millionths, without a binary float.
fn digits(millionths: i64) -> String {
    Decimal::from_i128_with_scale(millionths.into(), SCALE).to_string()
}

#[tokio::test]
async fn rollups_equal_an_independent_computation() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let seed = Uuid::new_v4().as_u128();
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    let start = time("2025-12-30T00:00:00Z");
    let mut known = Known::new();
    for _ in 0..6000 {
        let metric = ["t", "humidity"][usize::try_from(random.below(2)).unwrap()];
        // Three days over the turn of the year, in steps of a second, so that some readings are there twice.
        let at = start + TimeDelta::seconds(random.below(3 * 86_400));
        let value = random.below(2_000_000_000_000) - 1_000_000_000_000;
        known.entry((metric, at)).or_insert(value);
    }
    let all: Vec<_> = known
        .iter()
        .map(|((metric, at), value)| reading(metric, *at, digits(*value)))
        .collect();
    for part in all.chunks(2000) {
        device.ingest_text(&batch(part.to_vec())).await.expect(200);
    }
    let range = (
        start + TimeDelta::minutes(90),
        start + TimeDelta::seconds(3 * 86_400 - 777),
    );
    for (interval, seconds) in [
        ("50s", 50),
        ("7m", 420),
        ("15m", 900),
        ("1h", 3600),
        ("90m", 5400),
        ("5h", 18_000),
        ("1d", 86_400),
        ("2d", 172_800),
        ("7d", 604_800),
    ] {
        let answer = ask(&user, &device, interval, range).await;
        let found: Vec<_> = answer.data.iter().map(|it| it.metric.as_str()).collect();
        assert_eq!(found, ["t", "humidity"]);
        for series in answer.data {
            let metric = series.metric.clone();
            let expected = expect(&known, &metric, seconds, range);
            assert_eq!(series.buckets.len(), expected.len(), "{interval} {metric}");
            for (bucket, (begin, values)) in series.buckets.iter().zip(expected) {
                compare(bucket, begin, seconds, &values);
            }
        }
    }
}

async fn ask(
    user: &User,
    device: &Device,
    interval: &str,
    range: (DateTime<Utc>, DateTime<Utc>),
) -> Rollup {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (start, end) = (time(range.0), time(range.1));
    let query = format!("metric=t&metric=humidity&interval={interval}&start={start}&end={end}");
    let path = device.path(&format!("/rollups?{query}"));
    user.get(&path).await.expect(200).parse()
}

/// Buckets by their start, counted from 2000-01-01.
fn expect(
    known: &Known,
    metric: &str,
    seconds: i64,
    range: (DateTime<Utc>, DateTime<Utc>),
) -> BTreeMap<DateTime<Utc>, Vec<i64>> {
    let origin = time("2000-01-01T00:00:00Z");
    let mut buckets: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((name, at), value) in known {
        if *name == metric && *at >= range.0 && *at < range.1 {
            let index = (*at - origin).num_seconds().div_euclid(seconds);
            let begin = origin + TimeDelta::seconds(index * seconds);
            buckets.entry(begin).or_default().push(*value);
        }
    }
    buckets
}

fn compare(bucket: &Bucket, begin: DateTime<Utc>, seconds: i64, values: &[i64]) {
    let exact = |millionths: i128| Decimal::from_i128_with_scale(millionths, SCALE);
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    assert_eq!(bucket.start, begin);
    assert_eq!(bucket.end, begin + TimeDelta::seconds(seconds));
    assert_eq!(bucket.count, values.len());
    assert_eq!(decimal(&bucket.sum), exact(sum));
    assert_eq!(
        decimal(&bucket.min),
        exact((*values.iter().min().unwrap()).into())
    );
    assert_eq!(
        decimal(&bucket.max),
        exact((*values.iter().max().unwrap()).into())
    );
    // A mean need not end: it is good to 15 significant digits at least.
    let mean = exact(sum) / Decimal::from(values.len());
    let error = (decimal(&bucket.avg) - mean).abs();
    let tolerance = mean.abs() * Decimal::new(1, 15);
    assert!(error <= tolerance, "{} is not {mean}", bucket.avg.get());
}

#[tokio::test]
async fn a_sum_has_as_many_digits_as_it_takes() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = time("2026-01-31T12:00:00Z");
    let widest = "9999999999999999999999999999";
    let finest = "0.0000000000000000000000000001";
    let mut all: Vec<_> = (0..9)
        .map(|n| reading_at(start + TimeDelta::seconds(n), widest))
        .collect();
    all.push(reading_at(start + TimeDelta::seconds(9), finest));
    device.ingest_text(&batch(all)).await.expect(200);
    let query =
        "metric=t&interval=1h&agg=sum,min,max&start=2026-01-31T12:00:00Z&end=2026-01-31T13:00:00Z";
    let answer = user
        .get(&device.path(&format!("/rollups?{query}")))
        .await
        .expect(200);
    for member in [
        r#""sum":89999999999999999999999999991.0000000000000000000000000001"#,
        r#""min":0.0000000000000000000000000001"#,
        r#""max":9999999999999999999999999999"#,
    ] {
        assert!(answer.text.contains(member), "{}", answer.text);
    }
}
