//! `POST /readings` with many.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, Point, ago, batch, now, points, reading, reading_at};

/// The receipt's numbers: accepted, duplicates, rejected.
#[track_caller]
fn receipt(answer: &Answer) -> (u64, u64, u64) {
    let number = |member: &str| answer.body[member].as_u64().unwrap();
    (number("accepted"), number("duplicates"), number("rejected"))
}

/// The receipt's errors as index and code.
fn errors(answer: &Answer) -> Vec<(u64, String)> {
    let errors = answer.body["errors"].as_array().unwrap();
    let error = |it: &Value| {
        assert!(
            it["detail"].is_string() && it["retryable"].is_boolean(),
            "{it}"
        );
        (
            it["index"].as_u64().unwrap(),
            it["code"].as_str().unwrap().to_owned(),
        )
    };
    errors.iter().map(error).collect()
}

#[tokio::test]
async fn a_batch_is_an_object_or_a_bare_array() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let object = batch([reading("a", ago(9), 1), reading("b", ago(9), 2)]);
    let answer = device.ingest_text(&object).await.expect(200);
    assert_eq!(receipt(&answer), (2, 0, 0));
    assert_eq!(answer.body["errors"], json!([]));
    let array = format!("[{},{}]", reading("c", ago(9), 3), reading("d", ago(9), 4));
    let answer = device.ingest_text(&array).await.expect(200);
    assert_eq!(receipt(&answer), (2, 0, 0));
    let metrics = user.get(&device.path("/metrics")).await.expect(200);
    let names: Vec<_> = metrics
        .data()
        .iter()
        .map(|it| it["metric"].clone())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn each_bad_reading_of_a_batch_is_named_and_the_good_ones_are_stored() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let ahead = (now() + TimeDelta::minutes(20)).to_rfc3339();
    let body = json!([
        {"metric": "t", "value": 1, "recorded_at": ago(50)},
        {"metric": "9t", "value": 1},
        {"metric": "t", "value": "1"},
        {"metric": "t", "value": 1, "recorded_at": "noon"},
        {"metric": "t", "value": 1, "recorded_at": "1970-01-01T00:00:00Z"},
        {"metric": "t", "value": 1, "recorded_at": ahead},
        {"value": 1},
        {"metric": "t"},
        7,
        {"metric": "t", "value": 1, "surprise": 1},
        {"metric": "t", "value": 2, "recorded_at": ago(49)},
    ]);
    let answer = device.ingest(&body).await.expect(200);
    assert_eq!(receipt(&answer), (2, 0, 9));
    let expected = [
        (1, "invalid_metric"),
        (2, "invalid_value"),
        (3, "invalid_recorded_at"),
        (4, "recorded_at_too_old"),
        (5, "recorded_at_in_future"),
        (6, "missing_field"),
        (7, "missing_field"),
        (8, "malformed_reading"),
        (9, "malformed_reading"),
    ];
    let expected = expected.map(|(index, code)| (index, code.to_owned()));
    assert_eq!(errors(&answer), expected);
    let retryable: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["retryable"] == true)
        .collect();
    assert_eq!(retryable.iter().filter(|it| **it).count(), 1);
    assert!(retryable[4], "only a clock ahead is cured by waiting");
    let stored = points(&user.get(&device.path("/readings")).await.expect(200));
    assert_eq!(stored.len(), 2);
}

#[tokio::test]
async fn duplicates_and_conflicts_are_told_within_a_batch_and_across() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let (a, b, c) = (ago(30), ago(20), ago(10));
    let first = batch([
        reading_at(a, 1),
        reading_at(a, 1),
        reading_at(a, 2),
        reading_at(b, 5),
    ]);
    let answer = device.ingest_text(&first).await.expect(200);
    assert_eq!(receipt(&answer), (2, 1, 1));
    assert_eq!(errors(&answer), [(2, "reading_conflict".to_owned())]);

    let second = batch([reading_at(b, 6), reading_at(a, "1.0"), reading_at(c, 7)]);
    let answer = device.ingest_text(&second).await.expect(200);
    assert_eq!(receipt(&answer), (1, 1, 1));
    assert_eq!(errors(&answer), [(0, "reading_conflict".to_owned())]);

    let again = device.ingest_text(&second).await.expect(200);
    assert_eq!(receipt(&again), (0, 2, 1));
    let stored = points(&user.get(&device.path("/readings")).await.expect(200));
    let stored: Vec<_> = stored.iter().map(Point::value).collect();
    assert_eq!(stored, ["1", "5", "7"]);
}

#[tokio::test]
async fn a_batch_without_a_usable_reading_is_a_problem_with_a_receipt() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(9);
    device.ingest_text(&reading_at(at, 1)).await.expect(201);
    let body = batch([reading_at(at, 2), reading("?", at, 2)]);
    let answer = device
        .ingest_text(&body)
        .await
        .problem(422, "no_usable_reading");
    assert_eq!(receipt(&answer), (0, 0, 2));
    assert_eq!(
        errors(&answer),
        [
            (0, "reading_conflict".to_owned()),
            (1, "invalid_metric".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_batch_of_ten_thousand_is_taken_and_one_more_is_too_many() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = ago(20_000);
    let readings = |count: i64| {
        let at = |n| reading_at(start + TimeDelta::seconds(n), n);
        batch((0..count).map(at))
    };
    let answer = device.ingest_text(&readings(10_001)).await;
    answer.problem(413, "payload_too_large");
    let answer = device.ingest_text(&readings(10_000)).await.expect(200);
    assert_eq!(receipt(&answer), (10_000, 0, 0));
    let answer = device.ingest_text(&readings(10_000)).await.expect(200);
    assert_eq!(receipt(&answer), (0, 10_000, 0));
    let sum = app
        .sql()
        .await
        .one("select count(*) || ' ' || sum(value) from samples")
        .await;
    assert_eq!(sum, "10000 49995000");
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_too_large() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let padded = |length: usize| {
        let body = batch([reading_at(ago(9), 1)]);
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let answer = device.ingest_text(&padded(1024 * 1024 + 1)).await;
    answer.problem(413, "payload_too_large");
    device.ingest_text(&padded(1024 * 1024)).await.expect(200);
}

#[tokio::test]
async fn what_is_broken_off_stores_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let whole = batch((0..20).map(|n| reading_at(ago(n), n)));
    for length in [0, 1, whole.len() / 2, whole.len() - 2, whole.len() - 1] {
        let answer = device.ingest_text(&whole[..length]).await;
        answer.problem(400, "malformed_json");
    }
    let answer = device.ingest_text(&format!("{whole}{whole}")).await;
    answer.problem(400, "malformed_json");
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "0");
}

#[tokio::test]
async fn an_object_that_is_no_batch_is_refused() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for body in [
        r#"{"readings": 7}"#,
        r#"{"readings": {}}"#,
        r#"{"readings": [], "more": 1}"#,
        "{}",
    ] {
        let answer = device.ingest_text(body).await.expect(422);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn other_media_types_and_encodings_are_refused() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = reading_at(ago(9), 1).into_bytes();
    for media_type in [
        "text/plain",
        "application/xml",
        "application/octet-stream",
        "application/merge-patch+json",
        "",
    ] {
        let body = Some((media_type, body.clone()));
        let answer = device.ask(Method::POST, "/readings", body).await;
        answer.problem(415, "unsupported_media_type");
    }
    for encoding in ["br", "deflate", "gzip, gzip", "gzip, identity"] {
        let body = Some(("application/json", body.clone()));
        let client = device.with("content-encoding", encoding);
        let answer = client.ask(Method::POST, "/readings", body).await;
        let answer = answer.problem(415, "unsupported_media_type");
        assert!(answer.text.contains("gzip, zstd or identity"));
    }
    let body = Some(("application/json; charset=utf-8", body));
    let client = device.with("content-encoding", "identity");
    client
        .ask(Method::POST, "/readings", body)
        .await
        .expect(201);
}
