//! `POST /readings?dry_run=true`: the answer that it would be, and nothing stored.

use serde_json::json;

use super::{all_that_is_stored, errors};
use crate::support::{App, Device, User, ago, batch, reading, reading_at};

/// A device with a rule that has judged, known to both instances.
async fn at_work(user: &User) -> Device {
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    for (instance, seconds) in [(0, 500), (1, 499)] {
        let body = reading_at(ago(seconds), 1);
        let device = device.on(instance);
        device.post_text("/readings", &body).await.expect(201);
    }
    device
}

/// Bodies of all kinds, for a device that is at work.
fn bodies() -> Vec<String> {
    let wrong = r#"{"metric":"t","value":"wet","recorded_at":"2026-01-01T00:00:00Z"}"#;
    let long = (0..6_000).map(|n| reading("u", ago(n), n));
    vec![
        reading_at(ago(500), 1),
        reading_at(ago(500), 2),
        wrong.to_owned(),
        reading_at(ago(400), 200),
        reading("never_seen", ago(400), 200),
        batch([reading_at(ago(500), 2), wrong.to_owned()]),
        batch([reading_at(ago(500), 1)]),
        batch([
            reading_at(ago(500), 2),
            reading_at(ago(500), 1),
            reading_at(ago(300), 300),
            reading_at(ago(300), 301),
            reading_at(ago(300), 300),
            wrong.to_owned(),
            reading("other", ago(300), 1),
        ]),
        batch(long),
        batch([]),
    ]
}

#[tokio::test]
async fn a_dry_run_is_answered_like_the_real_one_and_stores_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = at_work(&user).await;
    let sql = app.sql().await;
    for (n, body) in bodies().iter().enumerate() {
        for query in ["receipt=full", "receipt=full&atomic=true"] {
            let before = all_that_is_stored(&sql).await;
            let dry = format!("/readings?{query}&dry_run=true");
            let here = device.on(n % 2).post_text(&dry, body).await;
            let there = device.on((n + 1) % 2).post_text(&dry, body).await;
            assert_eq!(all_that_is_stored(&sql).await, before, "{query} {n}");
            assert_eq!(
                (here.status, here.essence()),
                (there.status, there.essence())
            );
            if here.status < 300 {
                assert!(!here.header("ratelimit").is_empty());
            }
            let real = format!("/readings?{query}");
            let real = device.on(n % 2).post_text(&real, body).await;
            assert_eq!((here.status, here.essence()), (real.status, real.essence()));
        }
    }
    // What was really posted had its effects.
    assert_eq!(user.all("/alerts").await.len(), 1);
}

#[tokio::test]
async fn a_dry_run_leaves_a_new_device_as_it_is() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    let sql = app.sql().await;
    let before = all_that_is_stored(&sql).await;
    let months = ["2003-04-05T06:07:08Z", "2017-08-09T10:11:12Z"];
    let readings = months.map(|at| json!({"metric": "t", "value": 101, "recorded_at": at}));
    for body in [readings[0].clone(), json!(readings)] {
        for query in ["dry_run=true", "dry_run=true&atomic=true"] {
            let answer = device.post(&format!("/readings?{query}"), &body).await;
            let created = if body.is_array() { 200 } else { 201 };
            answer.expect(created);
            // Not even a table for the month.
            assert_eq!(all_that_is_stored(&sql).await, before);
        }
    }
    let seen = user.get(&device.path("")).await.expect(200);
    assert_eq!(seen.body["status"], "offline");
    assert!(seen.body["last_seen_at"].is_null());
    assert!(user.all("/alerts").await.is_empty());
    let metrics = user.get(&device.path("/metrics")).await.expect(200);
    assert!(metrics.data().is_empty());
}

#[tokio::test]
async fn dry_runs_use_up_no_identifiers_of_series() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let many = batch((0..1_001).map(|n| reading(&format!("m{n}"), ago(9), n)));
    let sql = app.sql().await;
    for query in ["dry_run=true", "dry_run=true&atomic=true"] {
        let answer = device.post_text(&format!("/readings?{query}"), &many).await;
        assert_eq!(errors(&answer).len(), 1, "{}", answer.text);
        assert_eq!(errors(&answer)[0].1, "too_many_metrics");
    }
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    // There are two thousand million of them for ever.
    assert_eq!(sql.one("select max(id) from series").await, "1");
}

#[tokio::test]
async fn an_atomic_dry_run_tells_what_would_refuse_the_batch() {
    let app = App::start().await;
    let user = app.user().await;
    let device = at_work(&user).await;
    let body = batch([reading_at(ago(500), 2), reading_at(ago(9), 1)]);
    let path = "/readings?dry_run=true&atomic=true";
    let answer = device.post_text(path, &body).await;
    let answer = answer.problem(422, "atomic_refused");
    assert_eq!(errors(&answer), [(0, "reading_conflict")]);
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "2");
}

#[tokio::test]
async fn a_dry_run_of_one_who_may_not_post_is_refused_like_a_real_one() {
    let app = App::start().await;
    let user = app.user().await;
    let device = at_work(&user).await;
    let (path, body) = ("/readings?dry_run=true", reading_at(ago(9), 1));
    let change = json!({"enabled": false});
    user.patch(&device.path(""), &change).await.expect(200);
    for instance in [0, 1, 0, 1] {
        let answer = device.on(instance).post_text(path, &body).await;
        answer.problem(403, "device_disabled");
    }
    user.delete(&device.path("")).await.expect(204);
    for instance in [0, 1, 0, 1] {
        let answer = device.on(instance).post_text(path, &body).await;
        answer.problem(401, "invalid_device_key");
    }
}
