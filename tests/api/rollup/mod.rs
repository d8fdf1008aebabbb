//! `GET /devices/{id}/rollups` and `GET /rollups`.

mod calendar;
mod concurrent;
mod conditional;
mod fill;
mod fleet;
mod limit;
mod percentile;
mod refused;
mod shared;
mod sums;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use crate::support::{Answer, App, Device, User, batch, now, reading, reading_at, time};

/// A device with three readings in two hours of a winter day, and one of another metric.
async fn with_readings(app: &App) -> (User, Device) {
    let user = app.user().await;
    let device = user.device().await;
    let all = [
        reading_at(time("2026-01-31T12:00:00Z"), "1.50"),
        reading_at(time("2026-01-31T12:59:59.999999Z"), "2"),
        reading_at(time("2026-01-31T14:00:00Z"), "-3"),
        reading("u", time("2026-01-31T12:30:00Z"), 7),
    ];
    device.ingest_text(&batch(all)).await.expect(200);
    (user, device)
}

/// The buckets of one series of an answer.
fn buckets(answer: &Answer, series: usize) -> &Vec<Value> {
    let buckets = answer.data()[series]["buckets"].as_array();
    buckets.unwrap_or_else(|| panic!("no buckets: {}", answer.text))
}

const DAY: &str = "start=2026-01-31T00:00:00Z&end=2026-02-01T00:00:00Z";

#[tokio::test]
async fn a_rollup_has_the_buckets_that_have_readings() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let path = device.path(&format!("/rollups?metric=t&interval=1h&{DAY}"));
    let answer = user.get(&path).await.expect(200);
    let expected = json!({
        "device_id": device.id,
        "interval": "1h",
        "timezone": "UTC",
        "start": "2026-01-31T00:00:00Z",
        "end": "2026-02-01T00:00:00Z",
        "data": [{"metric": "t", "buckets": [
            {
                "start": "2026-01-31T12:00:00Z", "end": "2026-01-31T13:00:00Z",
                "count": 2, "partial": false, "avg": 1.75, "min": 1.5, "max": 2, "sum": 3.5
            },
            {
                "start": "2026-01-31T14:00:00Z", "end": "2026-01-31T15:00:00Z",
                "count": 1, "partial": false, "avg": -3, "min": -3, "max": -3, "sum": -3
            },
        ]}],
    });
    assert_eq!(answer.body, expected);
    // Which of 1.5 and 1.50 is the extreme, nobody can tell.
    assert!(answer.text.contains(r#""min":1.5,"#), "{}", answer.text);
    assert!(answer.text.contains(r#""sum":3.50}"#), "{}", answer.text);
}

#[tokio::test]
async fn a_bucket_tells_what_was_asked_for_and_always_the_count() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    for (agg, members) in [
        ("avg", vec!["avg", "count", "end", "partial", "start"]),
        (
            "max,min",
            vec!["count", "end", "max", "min", "partial", "start"],
        ),
        ("count", vec!["count", "end", "partial", "start"]),
        ("sum,count", vec!["count", "end", "partial", "start", "sum"]),
    ] {
        let path = device.path(&format!("/rollups?metric=t&interval=1d&agg={agg}&{DAY}"));
        let answer = user.get(&path).await.expect(200);
        let bucket = answer.body["data"][0]["buckets"][0].as_object().unwrap();
        let mut names: Vec<_> = bucket.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, members, "{agg}");
    }
}

#[tokio::test]
async fn a_metric_may_be_called_null() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = time("2026-01-31T12:00:00Z");
    for name in ["null", "NULL", "Null"] {
        device.ingest_text(&reading(name, at, 7)).await.expect(201);
        let path = device.path(&format!("/rollups?metric={name}&interval=1d&agg=sum&{DAY}"));
        let answer = user.get(&path).await.expect(200);
        assert_eq!(answer.data()[0]["buckets"][0]["sum"], 7, "{name}");
    }
}

#[tokio::test]
async fn a_range_of_ten_thousand_years_finds_its_readings() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    for (interval, zone) in [
        ("10y", "Europe/Berlin"),
        ("1y", "UTC"),
        ("87840h", "Asia/Kolkata"),
    ] {
        let range = "start=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z";
        let path = format!("/rollups?metric=t&interval={interval}&timezone={zone}&agg=sum&{range}");
        let answer = user.get(&device.path(&path)).await.expect(200);
        assert_eq!(answer.data()[0]["buckets"][0]["sum"], 0.5, "{interval}");
        assert_eq!(answer.data()[0]["buckets"][0]["count"], 3, "{interval}");
    }
}

#[tokio::test]
async fn several_metrics_come_in_the_order_of_the_question() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let path = device.path(&format!(
        "/rollups?metric=u&metric=none&metric=t&interval=1d&agg=sum&{DAY}"
    ));
    let answer = user.get(&path).await.expect(200);
    let sums: Vec<_> = answer
        .data()
        .iter()
        .map(|it| (it["metric"].clone(), it["buckets"][0]["sum"].clone()))
        .collect();
    assert_eq!(
        sums,
        [
            (json!("u"), json!(7)),
            (json!("none"), Value::Null),
            (json!("t"), json!(0.5))
        ]
    );
}

#[tokio::test]
async fn a_range_has_its_start_and_not_its_end_and_may_cut_a_bucket() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let counts = async |range: &str| {
        let path = device.path(&format!("/rollups?metric=t&interval=1h&agg=count&{range}"));
        let answer = user.get(&path).await.expect(200);
        let buckets = answer.body["data"][0]["buckets"]
            .as_array()
            .unwrap()
            .clone();
        buckets
            .iter()
            .map(|it| it["count"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    for (start, end, expected) in [
        ("12:00:00", "14:00:00.000001", vec![2, 1]),
        ("12:00:00", "14:00:00", vec![2]),
        ("12:00:00.000001", "14:00:00", vec![1]),
        ("12:00:00", "12:59:59.999999", vec![1]),
        ("13:00:00", "14:00:00", vec![]),
    ] {
        let range = format!("start=2026-01-31T{start}Z&end=2026-01-31T{end}Z");
        assert_eq!(counts(&range).await, expected, "{range}");
    }
}

#[tokio::test]
async fn a_range_is_the_last_day_unless_said_otherwise() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let hour = TimeDelta::hours(1);
    let all = [-26, -23, -1].map(|hours| reading_at(now() + hour * hours, 1));
    device.ingest_text(&batch(all)).await.expect(200);
    let count = |answer: &Answer| -> u64 {
        let buckets = answer.body["data"][0]["buckets"].as_array().unwrap();
        buckets.iter().map(|it| it["count"].as_u64().unwrap()).sum()
    };
    let path = device.path("/rollups?metric=t&interval=1h&agg=sum");
    let answer = user.get(&path).await.expect(200);
    // To the end of the window that is open, so that the next answer is about the same range.
    let rest = answer.time_at("/end") - now();
    assert!(TimeDelta::seconds(-30) < rest && rest <= hour, "{rest}");
    let length = answer.time_at("/end") - answer.time_at("/start");
    assert_eq!(length, TimeDelta::hours(25));
    assert_eq!(count(&answer), 2);
    let end = (now() - hour * 24).to_rfc3339_opts(SecondsFormat::Secs, true);
    let answer = user.get(&format!("{path}&end={end}")).await.expect(200);
    let length = answer.time_at("/end") - answer.time_at("/start");
    assert_eq!(length, TimeDelta::days(1));
    assert_eq!(count(&answer), 1);
}

#[tokio::test]
async fn a_reading_that_arrives_late_is_in_the_next_answer() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let path = device.path(&format!("/rollups?metric=t&interval=1d&agg=sum&{DAY}"));
    let sum =
        async || user.get(&path).await.expect(200).body["data"][0]["buckets"][0]["sum"].clone();
    assert_eq!(sum().await, 0.5);
    device
        .ingest_text(&reading_at(time("2026-01-31T00:00:00Z"), 100))
        .await
        .expect(201);
    assert_eq!(sum().await, 100.5);
}
