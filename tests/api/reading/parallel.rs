//! Readings that arrive at once, on both instances.

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::support::{App, ago, batch, points, reading_at};

#[tokio::test]
async fn of_64_parallel_posts_of_one_reading_exactly_one_creates_it() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = reading_at(ago(5), "21.5");
    let answers = join_all((0..64).map(|_| device.ingest_text(&body))).await;
    let statuses: Vec<_> = answers.iter().map(|it| it.status).collect();
    assert_eq!(
        statuses.iter().filter(|it| **it == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|it| **it == 200).count(),
        63,
        "{statuses:?}"
    );
    let stored = app
        .sql()
        .await
        .one("select count(*) from sensor_readings")
        .await;
    assert_eq!(stored, "1");
}

#[tokio::test]
async fn of_parallel_values_for_one_time_one_wins_and_the_others_conflict() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(5);
    let bodies: Vec<_> = (0..32).map(|value| reading_at(at, value)).collect();
    let answers = join_all(bodies.iter().map(|body| device.ingest_text(body))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 201);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.problem(409, "reading_conflict");
    }
    let stored = app
        .sql()
        .await
        .one("select value::text from sensor_readings")
        .await;
    assert!(
        won[0].text.contains(&format!(r#""value":{stored}"#)),
        "{stored}"
    );
}

#[tokio::test]
async fn overlapping_batches_add_up_to_each_reading_once() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = ago(2000);
    let part =
        |from: i64| batch((from..from + 100).map(|n| reading_at(start + TimeDelta::seconds(n), n)));
    // Each second is in two batches, and they are posted in no order.
    let bodies: Vec<_> = (0..19).map(|n| part(n * 7 % 19 * 50)).collect();
    let answers = join_all(bodies.iter().map(|body| device.ingest_text(body))).await;
    let mut accepted = 0;
    let mut duplicates = 0;
    for answer in answers {
        let answer = answer.expect(200);
        accepted += answer.body["accepted"].as_u64().unwrap();
        duplicates += answer.body["duplicates"].as_u64().unwrap();
        assert_eq!(answer.body["rejected"], 0, "{}", answer.text);
    }
    assert_eq!((accepted, duplicates), (1000, 900));
    let sum = app
        .sql()
        .await
        .one("select count(*) || ' ' || sum(value) from samples")
        .await;
    assert_eq!(sum, "1000 499500");
}

#[tokio::test]
async fn devices_that_post_at_once_keep_their_readings_apart() {
    let app = App::start().await;
    let user = app.user().await;
    let devices = join_all((0..20).map(|_| user.device())).await;
    let at = ago(50);
    let posts = devices.iter().enumerate().flat_map(|(n, device)| {
        (0..10).map(move |second| async move {
            let body = reading_at(at + TimeDelta::seconds(second), n);
            device.ingest_text(&body).await.expect(201)
        })
    });
    join_all(posts).await;
    for (n, device) in devices.iter().enumerate() {
        let stored = points(&user.get(&device.path("/readings")).await.expect(200));
        assert_eq!(stored.len(), 10);
        assert!(stored.iter().all(|point| point.value() == n.to_string()));
    }
}
