//! Two instances behind a pooler in transaction mode that has two connections to the database.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{App, User, ago, batch, now, points, reading_at};

const TASKS: usize = 12;
const LASTING: Duration = Duration::from_secs(12);

/// What a busy owner does, over and over; every answer must be the right one.
async fn busy(app: &App, owner: &User, task: usize) -> usize {
    let device = owner.device_named(&format!("Task {task}")).await;
    let rule = owner.rule(&device, "gt", 50).await;
    let start = ago(50_000);
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < LASTING {
        let second = i64::try_from(rounds).unwrap() * 10;
        let at = |n: i64| start + TimeDelta::seconds(second + n);
        let single = reading_at(at(0), format!("{rounds}.5"));
        device.ingest_text(&single).await.expect(201);
        device.ingest_text(&single).await.expect(200);
        let several = batch((1..9).map(|n| reading_at(at(n), n * 10)));
        let receipt = device.ingest_text(&several).await.expect(200);
        assert_eq!(receipt.body["accepted"], 8, "{}", receipt.text);

        let path = device.path("/readings?order=desc&limit=9");
        let stored = points(&owner.get(&path).await.expect(200));
        assert_eq!(stored.last().unwrap().value(), format!("{rounds}.5"));
        assert_eq!(stored.len(), 9);
        let name = format!("Task {task} round {rounds}");
        let change = json!({"name": name, "metadata": {"round": rounds}});
        owner.patch(&device.path(""), &change).await.expect(200);
        let shown = owner.get(&device.path("")).await.expect(200);
        assert_eq!(shown.body["name"], name);
        let query = "/rollups?metric=t&interval=1d&agg=sum&start=2000-01-01T00:00:00Z&end=2000-01-02T00:00:00Z";
        owner.get(&device.path(query)).await.expect(200);
        owner
            .get(&format!("/alerts?rule_id={rule}&limit=5"))
            .await
            .expect(200);
        if rounds % 5 == 0 {
            app.user().await.get("/auth/session").await.expect(200);
        }
        rounds += 1;
    }
    let count = owner.all(&format!("/alerts?rule_id={rule}")).await.len();
    // Of 10, 20, … 80 those above 50 are one episode a round, which the next round ends.
    assert_eq!(count, rounds, "task {task}");
    rounds
}

#[tokio::test]
async fn a_mixed_load_on_two_connections_has_no_failure() {
    let app = App::start().await;
    let owner = app.user().await;
    let before = now();
    let rounds = join_all((0..TASKS).map(|task| busy(&app, &owner, task))).await;
    let rounds: usize = rounds.iter().sum();
    println!("{rounds} rounds in {}", now() - before);
    assert!(rounds >= TASKS, "{rounds}");
    let sql = app.sql().await;
    let stored = sql.one("select count(*) from sensor_readings").await;
    assert_eq!(stored, (rounds * 9).to_string());
    for server in &app.servers {
        let failures: Vec<_> = server
            .log()
            .lines()
            .filter(|line| line.contains(r#""level":"ERROR""#))
            .map(str::to_owned)
            .collect();
        assert!(failures.is_empty(), "{failures:#?}");
    }
}

#[tokio::test]
async fn one_connection_is_enough_for_everything() {
    let cap = ("DATABASE_MAX_CONNECTIONS", "1".to_owned());
    let app = App::start_with(&[cap]).await;
    let owner = app.user().await;
    let device = owner.device().await;
    let posts = (0..60).map(|n| {
        let device = &device;
        async move {
            let body = reading_at(ago(1000) + TimeDelta::seconds(n), n);
            device.ingest_text(&body).await.expect(201);
        }
    });
    let reads = (0..60).map(|_| async {
        owner.get(&device.path("/readings")).await.expect(200);
    });
    tokio::join!(join_all(posts), join_all(reads));
    let stored = owner.all(&device.path("/readings")).await;
    assert_eq!(stored.len(), 60);
}
