//! `POST /readings?atomic=true`: all of a batch, or nothing.

use chrono::TimeDelta;
use serde_json::json;

use super::{all_that_is_stored, errors};
use crate::support::{App, ago, batch, reading, reading_at};

const ATOMIC: &str = "/readings?atomic=true";

#[tokio::test]
async fn an_atomic_batch_is_stored_whole_and_again_it_is_a_duplicate() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let some = |count: i64| {
        let metric = |n: i64| if n % 2 == 0 { "a" } else { "b" };
        batch((0..count).map(|n| reading(metric(n), ago(n), n)))
    };
    let body = some(40);
    let answer = device.post_text(ATOMIC, &body).await.expect(200);
    let expected = json!({"accepted": 40, "late": 0, "duplicates": 0, "rejected": 0, "errors": []});
    assert_eq!(answer.body, expected);
    assert!(!answer.header("ratelimit").is_empty());
    // Duplicates refuse nothing: a batch whose answer was lost may be sent again, and grow.
    let more = some(41);
    for (body, accepted, duplicates) in [(&body, 0, 40), (&more, 1, 40), (&more, 0, 41)] {
        let answer = device.post_text(ATOMIC, body).await.expect(200);
        let counts = [&answer.body["accepted"], &answer.body["duplicates"]];
        assert_eq!(counts, [accepted, duplicates]);
    }
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "41");
}

#[tokio::test]
async fn one_refused_reading_refuses_its_whole_batch() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    let first = reading_at(ago(500), 1);
    device.ingest_text(&first).await.expect(201);
    let sql = app.sql().await;
    let before = all_that_is_stored(&sql).await;

    let breach = reading_at(ago(400), 200);
    let new = reading("never_seen", ago(400), 1);
    let conflict = reading_at(ago(500), 2);
    let wrong = r#"{"metric":"t","value":"wet"}"#.to_owned();
    let twice = || [reading_at(ago(300), 1), reading_at(ago(300), 2)];
    let cases = [
        (
            vec![breach.clone(), new.clone(), wrong.clone()],
            vec![(2, "invalid_value")],
        ),
        (
            vec![conflict.clone(), breach.clone(), new.clone()],
            vec![(0, "reading_conflict")],
        ),
        (
            [&[breach.clone(), new.clone()], &twice()[..]].concat(),
            vec![(3, "reading_conflict")],
        ),
        // All that is wrong is told at once, also what only the database knows.
        (
            [&[wrong, first, conflict, new, breach], &twice()[..]].concat(),
            vec![
                (0, "invalid_value"),
                (2, "reading_conflict"),
                (6, "reading_conflict"),
            ],
        ),
    ];
    for (readings, expected) in cases {
        let answer = device.post_text(ATOMIC, &batch(readings)).await;
        let answer = answer.problem(422, "atomic_refused");
        assert_eq!(errors(&answer), expected);
        assert_eq!(answer.body["accepted"], 0);
        assert_eq!(answer.body["rejected"], expected.len());
        assert_eq!(all_that_is_stored(&sql).await, before);
    }
    assert!(user.all("/alerts").await.is_empty());
    let metrics = user.get(&device.path("/metrics")).await.expect(200);
    assert_eq!(metrics.data().len(), 1);
}

#[tokio::test]
async fn more_readings_than_make_a_group_are_stored_together_or_not_at_all() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let readings: Vec<_> = (0..9_000).map(|n| reading_at(ago(n), n)).collect();
    let sql = app.sql().await;
    let count = "select count(*) from samples";
    for (wrong, code) in [
        (reading("?", ago(1), 1), "invalid_metric"),
        (reading_at(ago(8_999), -1), "reading_conflict"),
        (reading_at(ago(0), -1), "reading_conflict"),
    ] {
        let mut refused = readings.clone();
        refused.push(wrong);
        let answer = device.post_text(ATOMIC, &batch(refused)).await;
        let answer = answer.problem(422, "atomic_refused");
        assert_eq!(errors(&answer), [(9_000, code)]);
        assert_eq!(sql.one(count).await, "0");
    }
    let whole = batch(readings);
    let answer = device.post_text(ATOMIC, &whole).await.expect(200);
    assert_eq!(answer.body["accepted"], 9_000);
    let answer = device.post_text(ATOMIC, &whole).await.expect(200);
    assert_eq!(answer.body["duplicates"], 9_000);
    assert_eq!(sql.one(count).await, "9000");
}

#[tokio::test]
async fn a_metric_too_many_refuses_an_atomic_batch() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let metrics = |count: usize| batch((0..count).map(|n| reading(&format!("m{n}"), ago(9), n)));
    let answer = device.post_text(ATOMIC, &metrics(1_001)).await;
    let answer = answer.problem(422, "atomic_refused");
    assert_eq!(answer.body["rejected"], 1);
    assert_eq!(errors(&answer)[0].1, "too_many_metrics");
    let sql = app.sql().await;
    assert_eq!(sql.one("select count(*) from series").await, "0");
    let answer = device.post_text(ATOMIC, &metrics(1_000)).await.expect(200);
    assert_eq!(answer.body["accepted"], 1_000);
}

#[tokio::test]
async fn a_single_reading_is_atomic_in_any_case() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let at = ago(9);
    device
        .post_text(ATOMIC, &reading_at(at, 1))
        .await
        .expect(201);
    device
        .post_text(ATOMIC, &reading_at(at, 1))
        .await
        .expect(200);
    let answer = device.post_text(ATOMIC, &reading_at(at, 2)).await;
    answer.problem(409, "reading_conflict");
    let answer = device.post_text(ATOMIC, &reading("t", at, "true")).await;
    answer
        .problem(422, "validation_failed")
        .blames("/value", "invalid_value");
    let answer = device.post_text(ATOMIC, &batch([reading_at(at, 2)])).await;
    answer.problem(422, "no_usable_reading");
}

#[tokio::test]
async fn atomic_batches_at_once_are_each_stored_whole_or_not() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let start = ago(10_000);
    // Each shares its last second with the first one of the next, with another value.
    let bodies: Vec<_> = (0..24_i64)
        .map(|n| {
            let at = |second| start + TimeDelta::seconds(n * 49 + second);
            batch((0..50).map(|second| reading_at(at(second), n)))
        })
        .collect();
    let posts = bodies.iter().map(|body| device.post_text(ATOMIC, body));
    let answers = futures_util::future::join_all(posts).await;
    let mut stored = 0;
    for answer in answers {
        if answer.status == 200 {
            assert_eq!(answer.body["accepted"], 50);
            stored += 1;
        } else {
            let answer = answer.problem(422, "atomic_refused");
            assert!((1..=2).contains(&errors(&answer).len()), "{}", answer.text);
        }
    }
    let counts = "select count(*) from samples group by value";
    let counts = app.sql().await.column(counts).await;
    assert_eq!(counts, vec!["50"; stored]);
}

#[tokio::test]
async fn a_full_receipt_lists_what_became_of_each_reading() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let at = ago(9);
    device.ingest_text(&reading_at(at, 1)).await.expect(201);
    let body = batch([
        reading_at(at, 2),
        reading_at(ago(8), 1),
        reading("?", at, 1),
        reading_at(at, "1.0"),
    ]);
    let full = "/readings?receipt=full";
    let answer = device.post_text(full, &body).await.expect(200);
    let item =
        |index: u64, outcome: &str| json!({"index": index, "outcome": outcome, "late": false});
    let outcomes = ["conflict", "created", "rejected", "duplicate"];
    let expected: Vec<_> = (0..).zip(outcomes).map(|(n, it)| item(n, it)).collect();
    assert_eq!(answer.body["items"], json!(expected));
    assert_eq!(
        errors(&answer),
        [(0, "reading_conflict"), (2, "invalid_metric")]
    );
    let brief = device.post_text("/readings?receipt=errors", &body).await;
    assert!(brief.expect(200).body.get("items").is_none());
    let atomic = format!("{ATOMIC}&receipt=full");
    let whole = batch([reading_at(at, 1), reading_at(ago(7), 1)]);
    let answer = device.post_text(&atomic, &whole).await.expect(200);
    assert_eq!(
        answer.body["items"],
        json!([item(0, "duplicate"), item(1, "created")])
    );
    // Where nothing was stored there is nothing to list but the reasons.
    let answer = device.post_text(&atomic, &body).await;
    assert!(
        answer
            .problem(422, "atomic_refused")
            .body
            .get("items")
            .is_none()
    );
}

#[tokio::test]
async fn parameters_that_are_not_known_are_refused_by_name() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let body = batch([reading_at(ago(9), 1)]);
    for (query, name, code) in [
        ("atomc=true", "atomc", "unknown_parameter"),
        ("atomic=true&dryrun=true", "dryrun", "unknown_parameter"),
        ("atomic=1", "atomic", "invalid_value"),
        ("atomic=", "atomic", "invalid_value"),
        ("dry_run=yes", "dry_run", "invalid_value"),
        ("receipt=all", "receipt", "invalid_value"),
    ] {
        let answer = device.post_text(&format!("/readings?{query}"), &body).await;
        answer.problem(422, "validation_failed").blames(name, code);
    }
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "0");
}
