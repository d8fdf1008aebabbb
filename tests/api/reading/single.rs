//! `POST /readings` with one reading.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{App, Device, Point, ago, now, points, reading, reading_at};

#[tokio::test]
async fn a_reading_is_created_once_and_a_duplicate_after() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = reading_at(ago(5), "21.50");
    let created = device.ingest_text(&body).await.expect(201);
    assert_eq!(created.body["outcome"], "created");
    assert_eq!(created.body["metric"], "t");
    assert_eq!(created.time_at("/recorded_at"), ago_of(&body));
    assert!(
        created.text.contains(r#""value":21.50"#),
        "{}",
        created.text
    );
    for instance in [0, 1] {
        let again = device
            .on(instance)
            .post_text("/readings", &body)
            .await
            .expect(200);
        assert_eq!(again.body["outcome"], "duplicate");
    }
    // The same number in other digits is the same reading; the first digits stay.
    let other_digits = body.replace("21.50", "2.15e1");
    let again = device.ingest_text(&other_digits).await.expect(200);
    assert_eq!(again.body["outcome"], "duplicate");
    let stored = points(&user.get(&device.path("/readings")).await.expect(200));
    let values: Vec<_> = stored.iter().map(Point::value).collect();
    assert_eq!(values, ["21.50"]);
}

fn ago_of(body: &str) -> chrono::DateTime<chrono::Utc> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["recorded_at"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn another_value_at_the_same_time_is_a_conflict_and_the_first_stays() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(5);
    device.ingest_text(&reading_at(at, 1)).await.expect(201);
    let conflict = device.ingest_text(&reading_at(at, 2)).await;
    conflict.problem(409, "reading_conflict");
    device.ingest_text(&reading("u", at, 2)).await.expect(201);
    let stored = points(
        &user
            .get(&device.path("/readings?metric=t"))
            .await
            .expect(200),
    );
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].value(), "1");
}

#[tokio::test]
async fn a_missing_time_is_the_time_of_arrival() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let before = now();
    let created = device
        .ingest(&json!({"metric": "t", "value": 1}))
        .await
        .expect(201);
    let at = created.time_at("/recorded_at");
    assert!(before <= at && at <= now(), "{at}");
    let stored = points(&user.get(&device.path("/readings")).await.expect(200));
    assert_eq!(stored[0].recorded_at, at);
}

#[tokio::test]
async fn a_time_is_kept_in_microseconds_of_utc() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body =
        json!({"metric": "t", "value": 1, "recorded_at": "2026-01-31T13:00:00.123456789+01:00"});
    let created = device.ingest(&body).await.expect(201);
    assert_eq!(created.body["recorded_at"], "2026-01-31T12:00:00.123456Z");
    let stored = user.get(&device.path("/readings")).await.expect(200);
    assert_eq!(
        stored.body["data"][0]["recorded_at"],
        "2026-01-31T12:00:00.123456Z"
    );
}

#[tokio::test]
async fn a_reading_is_refused_with_the_member_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let long = "x".repeat(65);
    for (metric, code) in [
        (Value::Null, "missing_field"),
        (json!("1t"), "invalid_metric"),
        (json!(""), "invalid_metric"),
        (json!(long), "invalid_metric"),
        (json!("t'--"), "invalid_metric"),
    ] {
        refused(
            &device,
            json!({"metric": metric, "value": 1}),
            "/metric",
            code,
        )
        .await;
    }
    for value in [json!("1"), json!("NaN"), json!(true), json!([1]), json!({})] {
        let body = json!({"metric": "t", "value": value});
        refused(&device, body, "/value", "invalid_value").await;
    }
    let ahead = (now() + TimeDelta::minutes(11)).to_rfc3339();
    for (at, code) in [
        ("yesterday", "invalid_recorded_at"),
        ("2026-01-31T12:00:00", "invalid_recorded_at"),
        ("1999-12-31T23:59:59Z", "recorded_at_too_old"),
        (&ahead, "recorded_at_in_future"),
    ] {
        let body = json!({"metric": "t", "value": 1, "recorded_at": at});
        refused(&device, body, "/recorded_at", code).await;
    }
    for (body, pointer, code) in [
        (json!({"value": 1}), "/metric", "missing_field"),
        (json!({"metric": "t"}), "/value", "missing_field"),
        (
            json!({"metric": "t", "value": 1, "unit": "C"}),
            "",
            "malformed_reading",
        ),
    ] {
        refused(&device, body, pointer, code).await;
    }
    let stored = user.get(&device.path("/readings")).await.expect(200);
    assert!(stored.data().is_empty(), "{}", stored.text);
}

async fn refused(device: &Device, body: Value, pointer: &str, code: &str) {
    let answer = device.ingest(&body).await;
    answer
        .problem(422, "validation_failed")
        .blames(pointer, code);
}

#[tokio::test]
async fn what_is_no_number_of_json_makes_no_json_at_all() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for value in [
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        "01",
        "1.",
        ".5",
        "0x10",
        "1_0",
    ] {
        let body = format!(r#"{{"metric":"t","value":{value}}}"#);
        device
            .ingest_text(&body)
            .await
            .problem(400, "malformed_json");
    }
    for body in ["7", "null", r#""reading""#] {
        device
            .ingest_text(body)
            .await
            .problem(422, "validation_failed");
    }
    let stored = user.get(&device.path("/readings")).await.expect(200);
    assert!(stored.data().is_empty(), "{}", stored.text);
}

#[tokio::test]
async fn a_clock_that_is_a_little_ahead_is_believed() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = now() + TimeDelta::minutes(9);
    device.ingest_text(&reading_at(at, 1)).await.expect(201);
    let latest = points(&user.get(&device.path("/latest")).await.expect(200));
    assert_eq!(latest[0].recorded_at, at);
}

#[tokio::test]
async fn a_device_goes_online_with_its_first_reading() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let seen = async || user.get(&device.path("")).await.expect(200);
    assert_eq!(seen().await.body["status"], "offline");

    let before = now();
    // Being seen is a matter of arrival, not of measurement.
    device
        .ingest_text(&reading_at(ago(3600), 1))
        .await
        .expect(201);
    let first = seen().await;
    assert_eq!(first.body["status"], "online");
    assert!(first.time_at("/last_seen_at") >= before);

    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    device
        .ingest_text(&reading_at(ago(3500), 1))
        .await
        .expect(201);
    assert!(seen().await.time_at("/last_seen_at") > first.time_at("/last_seen_at"));
}

#[tokio::test]
async fn a_reading_needs_the_key_of_a_device() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = reading_at(ago(5), 1);
    let mut damaged = device.key.clone();
    damaged.pop();
    let other_sum = format!(
        "{damaged}{}",
        if device.key.ends_with('0') { '1' } else { '0' }
    );
    let unknown = format!("rdk_{}", "0".repeat(49));
    for key in ["", "x", &damaged, &other_sum, &unknown, &user.access_token] {
        let answer = app
            .anonymous()
            .with_key(key)
            .post_text("/readings", &body)
            .await;
        let answer = answer.problem(401, "invalid_device_key");
        assert!(!answer.header("www-authenticate").is_empty());
    }
    for client in [&app.anonymous(), &*user] {
        let answer = client.post_text("/readings", &body).await;
        answer.problem(401, "invalid_device_key");
    }
    let in_url = format!("/readings?device_key={}", device.key);
    let answer = app.anonymous().post_text(&in_url, &body).await;
    answer.problem(401, "invalid_device_key");
    let as_token = app.anonymous().with_token(&device.key);
    as_token
        .get("/devices")
        .await
        .problem(401, "unauthenticated");
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "0");
}
