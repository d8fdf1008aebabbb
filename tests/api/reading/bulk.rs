//! Batches so large that they take another way into the database than single readings do.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::{App, Client, Point, ago, batch, points, reading, reading_at};

/// The receipt's numbers: accepted, duplicates, rejected.
async fn post(device: &Client, body: &str) -> (u64, u64, u64) {
    let answer = device.post_text("/readings", body).await.expect(200);
    let number = |member: &str| answer.body[member].as_u64().unwrap();
    (number("accepted"), number("duplicates"), number("rejected"))
}

fn start() -> DateTime<Utc> {
    ago(200_000)
}

fn at(second: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(second)
}

#[tokio::test]
async fn every_digit_survives_the_bulk_load() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = start();
    let at = |n: usize| start + TimeDelta::microseconds(i64::try_from(n).unwrap() * 1_000_003);
    // Every length before the point with every length after it, both signs, zeros at all ends.
    let mut values = Vec::new();
    for whole in 0..=14 {
        for fraction in 0..=14 {
            for digit in ["1", "9", "0"] {
                let whole = format!("1{}", digit.repeat(whole));
                let sign = if fraction % 2 == 0 { "-" } else { "" };
                values.push(match fraction {
                    0 => format!("{sign}{whole}"),
                    _ => format!("{sign}{whole}.{}", digit.repeat(fraction - 1) + "0"),
                });
                values.push(format!("0.{}{}", "0".repeat(fraction), whole));
            }
        }
    }
    values.retain(|text| text.bytes().filter(u8::is_ascii_digit).count() <= 28);
    let readings = values.iter().enumerate();
    let body = batch(readings.map(|(n, value)| reading_at(at(n), value)));
    let count = values.len() as u64;
    assert!(count > 1_000);
    assert_eq!(post(&device, &body).await, (count, 0, 0));
    assert_eq!(post(&device, &body).await, (0, count, 0));

    let (mut stored, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/readings?metric=t&order=asc&limit=500{cursor}");
        let page = user.get(&device.path(&path)).await.expect(200);
        stored.extend(points(&page));
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(stored.len(), values.len());
    for (n, (point, value)) in stored.iter().zip(&values).enumerate() {
        assert_eq!(point.value(), value);
        assert_eq!(point.recorded_at, at(n));
    }
}

#[tokio::test]
async fn a_bulk_load_over_what_is_there_takes_each_reading_once() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let every_other = batch((0..1_000).step_by(2).map(|n| reading_at(at(n), n)));
    assert_eq!(post(&device, &every_other).await, (500, 0, 0));
    // Within the span of what is there, with duplicates, conflicts, and a repetition of its own.
    let value = |n: i64| if n % 10 == 0 { -1 } else { n };
    let readings = (0..2_000).map(|n| reading_at(at(n), value(n)));
    let all = batch(readings.chain([reading_at(at(1), 1), reading_at(at(3), 4)]));
    let answer = device.ingest_text(&all).await.expect(200);
    // Of 500 that were there, 100 get another value, and so does one of those within the batch.
    assert_eq!(answer.body["accepted"], 1_500);
    assert_eq!(answer.body["duplicates"], 401);
    assert_eq!(answer.body["rejected"], 101);
    let conflicts = answer.body["errors"].as_array().unwrap();
    assert!(conflicts.iter().all(|it| it["code"] == "reading_conflict"));
    assert_eq!(conflicts[1]["index"], 10);
    assert_eq!(conflicts[100]["index"], 2_001);
    let count = "select count(*), count(*) filter (where value = -1) from samples";
    // What was refused changed nothing: the minus ones are those of the second half.
    assert_eq!(app.sql().await.rows(count).await, [["2000", "100"]]);
}

#[tokio::test]
async fn a_batch_of_more_than_a_group_is_answered_once_and_in_order() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let wrong = [0, 4_999, 5_000, 9_999];
    let item = |n: i64| {
        if wrong.contains(&n) {
            json!({"metric": "t", "value": "wrong"}).to_string()
        } else {
            reading(["t", "u"][usize::try_from(n % 2).unwrap()], at(n), n)
        }
    };
    let body = batch((0..10_000).map(item));
    let answer = device.ingest_text(&body).await.expect(200);
    assert_eq!(answer.body["accepted"], 9_996);
    let errors = answer.body["errors"].as_array().unwrap().iter();
    let indexes: Vec<_> = errors.map(|it| it["index"].as_i64().unwrap()).collect();
    assert_eq!(indexes, wrong);
    assert_eq!(post(&device, &body).await, (0, 9_996, 4));
    let first = user
        .get(&device.path("/readings?metric=u&order=asc&limit=1"))
        .await;
    let first: Vec<Point> = points(&first.expect(200));
    assert_eq!(first[0].value(), "1");
}

#[tokio::test]
async fn no_instance_takes_readings_beyond_the_commit_that_disabled_or_deleted_the_device() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let mut second = 0;
    let mut next = || {
        second += 1;
        batch((0..300).map(|n| reading_at(at(second * 1_000 + n), n)))
    };
    for instance in [0, 1] {
        // Both know the device and its series by now.
        device
            .on(instance)
            .post_text("/readings", &next())
            .await
            .expect(200);
        device
            .on(instance)
            .post_text("/readings", &next())
            .await
            .expect(200);
    }
    let change = |enabled: bool| json!({"enabled": enabled});
    user.patch(&device.path(""), &change(false))
        .await
        .expect(200);
    for instance in [0, 1] {
        let refused = device.on(instance).post_text("/readings", &next()).await;
        refused.problem(403, "device_disabled");
    }
    user.patch(&device.path(""), &change(true))
        .await
        .expect(200);
    for instance in [0, 1] {
        device
            .on(instance)
            .post_text("/readings", &next())
            .await
            .expect(200);
    }
    user.delete(&device.path("")).await.expect(204);
    for instance in [0, 1] {
        let refused = device.on(instance).post_text("/readings", &next()).await;
        refused.problem(401, "invalid_device_key");
    }
}

#[tokio::test]
async fn an_alert_in_the_first_half_of_a_large_batch_is_not_lost_behind_the_second() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    post(
        &device,
        &batch([reading_at(at(-2), 1), reading_at(at(-1), 2)]),
    )
    .await;
    // The first slice has a metric that is new, so that more is to be found out for it.
    let value = |n: i64| if (100..200).contains(&n) { 101 } else { 7 };
    let readings = (0..9_999).map(|n| reading_at(at(n), value(n)));
    let body = batch([reading("boot", at(0), 1)].into_iter().chain(readings));
    assert_eq!(post(&device, &body).await, (10_000, 0, 0));
    let alerts = user.get("/alerts").await.expect(200);
    assert_eq!(alerts.data().len(), 1);
    assert_eq!(alerts.data()[0]["status"], "resolved");
}
