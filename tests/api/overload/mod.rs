//! Limits: a queue that is full, a query that takes too long, months that are new to everyone at once.

mod bodies;
mod strangers;

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::support::{App, Proxy, ago, batch, reading_at, time};

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_takes_again_later() {
    let proxy = Proxy::start().await;
    let few = ("INGEST_QUEUE_READINGS", "10000".to_owned());
    let app = App::start_with_behind(&proxy, &[few]).await;
    let user = app.user().await;
    let device = user.device().await;
    let device = device.on(0);
    device
        .post_text("/readings", &reading_at(ago(20_000), 0))
        .await
        .expect(201);
    proxy.stall();
    let whole = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    let waiting = device.post_text("/readings", &whole);
    let refused = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        let began = Instant::now();
        let single = reading_at(ago(30_000), 1);
        let answer = device.post_text("/readings", &single).await;
        let answer = answer.problem(503, "overloaded");
        assert!(!answer.header("retry-after").is_empty());
        assert!(
            began.elapsed() < Duration::from_millis(500),
            "{:?}",
            began.elapsed()
        );
        proxy.open();
    };
    let (first, ()) = tokio::join!(waiting, refused);
    if first.status != 200 {
        first.problem(503, "unavailable");
        device.post_text("/readings", &whole).await.expect(200);
    }
    device
        .post_text("/readings", &reading_at(ago(30_000), 1))
        .await
        .expect(201);
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "10002");
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_cut_and_hurts_nobody_else() {
    let limit = ("DATABASE_STATEMENT_TIMEOUT", "1s".to_owned());
    let app = App::start_with(&[limit]).await;
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    let sql = app.sql().await;
    sql.run("begin; lock table samples in access exclusive mode")
        .await
        .unwrap();
    let began = Instant::now();
    let answer = user.get(&device.path("/readings")).await;
    let answer = answer.problem(503, "query_timeout");
    assert!(!answer.header("retry-after").is_empty());
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    user.get("/devices").await.expect(200);
    sql.run("rollback").await.unwrap();
    let stored = user.get(&device.path("/readings")).await.expect(200);
    assert_eq!(stored.data().len(), 1);
}

#[tokio::test]
async fn months_that_are_new_to_everyone_lose_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let devices = join_all((0..6).map(|_| user.device())).await;
    let start = time("2015-01-15T00:00:00Z");
    let posts = (0..60).map(|n| {
        let device = &devices[n % 6];
        let at = start + TimeDelta::days(31 * i64::try_from(n / 6).unwrap());
        async move { device.ingest_text(&reading_at(at, n)).await.expect(201) }
    });
    join_all(posts).await;
    let sql = app.sql().await;
    let stored = sql
        .one("select count(*) || ' ' || sum(value) from sensor_readings")
        .await;
    assert_eq!(stored, "60 1770");
    for device in &devices {
        let listed = user.get(&device.path("/readings")).await.expect(200);
        assert_eq!(listed.data().len(), 10);
    }
}
