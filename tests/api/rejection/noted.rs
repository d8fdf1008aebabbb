//! What is noted of refused readings and requests, and what is not.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, Device, User, ago, batch, eventually, reading, reading_at};

/// How often each code was noted, in the order of the codes.
fn counts(answer: &Answer) -> Vec<(String, u64)> {
    let entry = |it: &Value| {
        let code = it["code"].as_str().unwrap().to_owned();
        (code, it["count"].as_u64().unwrap())
    };
    let mut counts: Vec<_> = answer.data().iter().map(entry).collect();
    counts.sort();
    counts
}

/// Waits until so much is noted, and makes sure that it is no more.
async fn noted(user: &User, device: &Device, expected: &[(&str, u64)]) -> Answer {
    let path = device.path("/rejections");
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(code, n)| ((*code).to_owned(), *n))
        .collect();
    expected.sort();
    let total = |counts: &[(String, u64)]| counts.iter().map(|(_, count)| count).sum::<u64>();
    for _ in 0..25 {
        let answer = user.get(&path).await.expect(200);
        if total(&counts(&answer)) >= total(&expected) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Both instances write once a second.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let answer = user.get(&path).await.expect(200);
    assert_eq!(counts(&answer), expected, "{}", answer.text);
    answer
}

/// The entry of a code.
fn entry<'a>(answer: &'a Answer, code: &str) -> &'a Value {
    answer.data().iter().find(|it| it["code"] == code).unwrap()
}

#[tokio::test]
async fn refused_readings_are_counted_by_code_with_the_last_of_each() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(60);
    device.ingest_text(&reading_at(at, 1)).await.expect(201);
    let last = r#"{"metric":"t","value":"very wet"}"#.to_owned();
    let body = batch([
        reading_at(at, 2),
        r#"{"metric":"t","value":"wet"}"#.to_owned(),
        reading_at(at, 3),
        reading("?", at, 1),
        last.clone(),
        reading_at(at, 1),
        reading_at(ago(50), 1),
        reading_at(ago(50), 4),
    ]);
    let answer = device.ingest_text(&body).await.expect(200);
    assert_eq!(answer.body["rejected"], 6);
    let counts = [
        ("reading_conflict", 3),
        ("invalid_metric", 1),
        ("invalid_value", 2),
    ];
    let answer = noted(&user, &device, &counts).await;
    let sample = entry(&answer, "reading_conflict")["sample"]
        .as_str()
        .unwrap();
    let sample: Value = serde_json::from_str(sample).unwrap();
    assert_eq!(
        (&sample["metric"], &sample["value"]),
        (&json!("t"), &json!(4))
    );
    assert_eq!(entry(&answer, "invalid_value")["sample"], last);
    for item in answer.data() {
        assert!(!item["detail"].as_str().unwrap().is_empty(), "{item}");
    }

    // Single readings count under the same words; nothing is noted twice for being the whole request.
    for body in [reading_at(at, 5), last, batch([reading_at(at, 6)])] {
        assert!(device.ingest_text(&body).await.status >= 400);
    }
    let counts = [
        ("reading_conflict", 5),
        ("invalid_metric", 1),
        ("invalid_value", 3),
    ];
    noted(&user, &device, &counts).await;
}

#[tokio::test]
async fn each_reason_is_shown_by_a_reading_that_was_refused_for_it() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let many = (0..1_000).map(|n| reading(&format!("m{n}"), ago(60), n));
    device.ingest_text(&batch(many)).await.expect(200);
    let mixed = batch([
        reading("one_more", ago(60), 1),
        reading("m7", ago(60), 8),
        reading("m7", ago(60), 7),
        reading("yet_another", ago(60), 1),
    ]);
    device.ingest_text(&mixed).await.expect(200);
    let counts = [("reading_conflict", 1), ("too_many_metrics", 2)];
    let answer = noted(&user, &device, &counts).await;
    for (code, metric) in [
        ("reading_conflict", "m7"),
        ("too_many_metrics", "yet_another"),
    ] {
        let sample = entry(&answer, code)["sample"].as_str().unwrap();
        assert!(
            sample.contains(&format!(r#""{metric}""#)),
            "{code}: {sample}"
        );
    }
}

#[tokio::test]
async fn requests_that_are_refused_whole_are_counted_each_once() {
    let slow = ("RATE_LIMIT_DEVICE", "1".to_owned());
    let app = App::start_with(&[slow]).await;
    let user = app.user().await;
    let device = user.device().await;
    for instance in [0, 1] {
        let device = device.on(instance);
        let post = async |path: &str, body: &str| device.post_text(path, body).await;
        post("/readings", "{").await.problem(400, "malformed_json");
        let body = Some(("text/plain", b"21.5".to_vec()));
        let answer = device.ask(Method::POST, "/readings", body).await;
        answer.problem(415, "unsupported_media_type");
        let large = " ".repeat(1024 * 1024 + 1);
        let answer = post("/readings", &large).await;
        answer.problem(413, "payload_too_large");
        let answer = post("/readings?surprise=1", "{}").await;
        answer.problem(422, "validation_failed");
        let some = batch([reading_at(ago(9), 1), "7".to_owned()]);
        let answer = post("/readings?atomic=true", &some).await;
        answer.problem(422, "atomic_refused");
        let whole = batch((0..9_990).map(|n| reading_at(ago(n), 1)));
        post("/readings", &whole).await.expect(200);
        let answer = post("/readings", &whole).await;
        answer.problem(429, "rate_limited");
    }
    let counts = [
        ("malformed_json", 2),
        ("unsupported_media_type", 2),
        ("payload_too_large", 2),
        ("validation_failed", 2),
        ("atomic_refused", 2),
        ("malformed_reading", 2),
        ("rate_limited", 2),
    ];
    noted(&user, &device, &counts).await;
}

#[tokio::test]
async fn a_disabled_device_is_counted_from_its_first_refusal() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for instance in [0, 1] {
        let body = reading_at(ago(90), 1);
        let answer = device.on(instance).post_text("/readings", &body).await;
        assert!(answer.status < 300);
    }
    let change = json!({"enabled": false});
    user.patch(&device.path(""), &change).await.expect(200);
    for instance in [0, 1, 0, 1] {
        let body = reading_at(ago(80), 1);
        let answer = device.on(instance).post_text("/readings", &body).await;
        answer.problem(403, "device_disabled");
    }
    noted(&user, &device, &[("device_disabled", 4)]).await;
}

#[tokio::test]
async fn dry_runs_are_not_noted_whatever_becomes_of_them() {
    let slow = ("RATE_LIMIT_DEVICE", "1".to_owned());
    let app = App::start_with(&[slow]).await;
    let user = app.user().await;
    let device = user.device().await.on_one(0);
    let at = ago(9);
    device.ingest_text(&reading_at(at, 1)).await.expect(201);
    let mixed = batch([reading_at(at, 2), "7".to_owned(), reading_at(at, 1)]);
    for body in [
        mixed.clone(),
        batch([reading_at(at, 2)]),
        reading_at(at, 2),
        "7".to_owned(),
        "{".to_owned(),
        " ".repeat(1024 * 1024 + 1),
        batch((0..10_000).map(|n| reading_at(ago(n), n))),
    ] {
        for query in ["dry_run=true", "dry_run=true&atomic=true"] {
            device.post_text(&format!("/readings?{query}"), &body).await;
        }
    }
    let limited = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    let answer = device.post_text("/readings?dry_run=true", &limited).await;
    answer.problem(429, "rate_limited");
    let change = json!({"enabled": false});
    user.patch(&device.path(""), &change).await.expect(200);
    for _ in 0..2 {
        let answer = device.post_text("/readings?dry_run=true", "7").await;
        answer.problem(403, "device_disabled");
    }
    device
        .ingest_text("7")
        .await
        .problem(403, "device_disabled");
    noted(&user, &device, &[("device_disabled", 1)]).await;
}

#[tokio::test]
async fn no_device_key_gets_into_what_is_noted_or_logged() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let key = &device.key;
    let at = ago(9);
    device.ingest_text(&reading(key, at, 1)).await.expect(201);
    let post = async |path: &str, media_type: &str, body: String| {
        let body = Some((media_type, body.into_bytes()));
        let answer = device.ask(Method::POST, path, body).await;
        assert!(answer.status >= 400, "{path}: {}", answer.text);
    };
    let json = "application/json";
    post("/readings", json, reading(key, at, 2)).await;
    post(
        "/readings",
        json,
        format!(r#"{{"metric":"t","value":"{key}"}}"#),
    )
    .await;
    post("/readings", json, format!(r#"{{"{key}":1}}"#)).await;
    post(
        "/readings",
        json,
        format!(r#"{{"metric":"{}{key}","value":1}}"#, "x".repeat(150)),
    )
    .await;
    post("/readings", json, format!("{{{key}")).await;
    post("/readings", key, "1".to_owned()).await;
    post(&format!("/readings?{key}=1"), json, "1".to_owned()).await;
    post(&format!("/readings?receipt={key}"), json, "1".to_owned()).await;
    post("/readings", "application/x-ndjson", format!("{key}\n")).await;
    let path = device.path("/rejections");
    eventually("the notes", Duration::from_secs(5), async || {
        let answer = user.get(&path).await.expect(200);
        counts(&answer).iter().map(|(_, n)| n).sum::<u64>() == 9
    })
    .await;
    // A metric may be called as one likes, and this one is stored.
    let sql = app.sql().await;
    sql.run("update series set metric = 'masked'")
        .await
        .unwrap();
    let secret = &key[10..20];
    let answer = user.get(&path).await.expect(200);
    assert!(!answer.text.contains(secret), "{}", answer.text);
    let stored = app
        .sql()
        .await
        .one("select string_agg(rejections::text, ' ') from rejections")
        .await;
    assert!(!stored.contains(secret), "{stored}");
    for server in &app.servers {
        assert!(!server.log().contains(secret));
    }
}
