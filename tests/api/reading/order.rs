//! The readings of one request are taken in their order, however many they are.

use chrono::TimeDelta;

use crate::support::{App, ago, batch, reading_at};

/// More than two groups' worth in time order, with an episode in each half.
fn two_episodes(round: i64) -> String {
    let start = ago(200_000) + TimeDelta::seconds(round * 10_000);
    let value = |n: i64| if n == 100 || n == 9_000 { 101 } else { 1 };
    batch((0..10_000).map(|n| reading_at(start + TimeDelta::seconds(n), value(n))))
}

#[tokio::test]
async fn no_episode_of_a_batch_of_more_than_a_group_is_missed() {
    let off = ("RATE_LIMITS", "off".to_owned());
    let app = App::start_with(&[off]).await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    for round in 0..6 {
        let answer = device.ingest_text(&two_episodes(round)).await.expect(200);
        assert_eq!(answer.body["accepted"], 10_000);
        let alerts = user.all("/alerts").await;
        let expected = 2 * (usize::try_from(round).unwrap() + 1);
        assert_eq!(alerts.len(), expected, "{alerts:?}");
        assert!(alerts.iter().all(|it| it["status"] == "resolved"));
    }
}

#[tokio::test]
async fn of_two_values_in_a_batch_of_more_than_a_group_the_first_counts() {
    let off = ("RATE_LIMITS", "off".to_owned());
    let app = App::start_with(&[off]).await;
    let user = app.user().await;
    let device = user.device().await;
    for round in 0..6 {
        let at = |n: i64| ago(200_000) + TimeDelta::seconds(round * 5_000 + n);
        // Each time twice: first in order, then once more with another value.
        let first = (0..5_000).map(|n| reading_at(at(n), 1));
        let second = (0..5_000).map(|n| reading_at(at(n), 2));
        let answer = device.ingest_text(&batch(first.chain(second))).await;
        let answer = answer.expect(200);
        assert_eq!(answer.body["accepted"], 5_000);
        assert_eq!(answer.body["errors"][0]["index"], 5_000);
    }
    let sql = app.sql().await;
    let wrong = sql
        .one("select count(*) from samples where value <> 1")
        .await;
    assert_eq!(wrong, "0");
}
