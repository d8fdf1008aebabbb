//! The database goes away, and comes back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::support::{App, Device, Proxy, ago, eventually, reading_at, time};

/// Longer than any answer may take while there is no database.
const PATIENCE: Duration = Duration::from_secs(8);

async fn is_ready(app: &App, instance: usize) -> bool {
    let root = app.anonymous().on(instance).at_root();
    root.get("/health/ready").await.status == 200
}

async fn back(app: &App) {
    for instance in [0, 1] {
        eventually("readiness", Duration::from_secs(15), async || {
            is_ready(app, instance).await
        })
        .await;
    }
}

#[tokio::test]
async fn without_a_database_it_says_so_at_once_and_recovers() {
    let proxy = Proxy::start().await;
    let app = App::start_behind(&proxy).await;
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    proxy.cut();
    for instance in [0, 1] {
        let root = app.anonymous().on(instance).at_root();
        root.get("/health/live").await.expect(200);
        let began = Instant::now();
        let refused = root.get("/health/ready").await.problem(503, "unavailable");
        assert!(!refused.header("retry-after").is_empty());
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        let began = Instant::now();
        for answer in [
            user.on(instance).get("/devices").await,
            device
                .on(instance)
                .post_text("/readings", &reading_at(ago(8), 1))
                .await,
        ] {
            let answer = answer.problem(503, "unavailable");
            assert!(!answer.header("retry-after").is_empty());
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    }
    proxy.open();
    back(&app).await;
    user.get("/devices").await.expect(200);
    device.ingest_text(&reading_at(ago(8), 1)).await.expect(201);
    let stored = user.get(&device.path("/readings")).await.expect(200);
    assert_eq!(stored.data().len(), 2);
}

#[tokio::test]
async fn a_database_that_stalls_is_told_from_one_that_works() {
    let proxy = Proxy::start().await;
    let app = App::start_behind(&proxy).await;
    let user = app.user().await;
    proxy.stall();
    for instance in [0, 1] {
        let began = Instant::now();
        let root = app.anonymous().on(instance).at_root();
        root.get("/health/live").await.expect(200);
        let refused = root.get("/health/ready").await;
        refused.problem(503, "unavailable");
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
    }
    let began = Instant::now();
    let refused = user.get("/devices").await.problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    proxy.open();
    back(&app).await;
    user.get("/devices").await.expect(200);
}

/// Posts reading after reading, each again and again until it is acknowledged.
async fn insist(device: &Device, writer: i64, stop: &AtomicBool) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for n in writer * 1_000_000.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let body = reading_at(time("2026-01-01T00:00:00Z") + TimeDelta::milliseconds(n), n);
        loop {
            // Of one that failed nobody knows whether it was stored: then it is a duplicate, which is as good.
            let answer = device.ingest_text(&body).await;
            if [200, 201].contains(&answer.status) {
                acknowledged.push(n);
                break;
            }
            let answer = answer.problem(503, "unavailable");
            assert!(!answer.header("retry-after").is_empty());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    acknowledged
}

#[tokio::test]
async fn through_cuts_and_stalls_every_acknowledged_reading_is_stored_once() {
    let proxy = Proxy::start().await;
    let app = App::start_behind(&proxy).await;
    let user = app.user().await;
    let device = user.device().await;
    let stop = AtomicBool::new(false);
    let faults = async {
        for n in 0..4 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            if n % 2 == 0 {
                proxy.cut();
            } else {
                proxy.stall();
            }
            tokio::time::sleep(Duration::from_millis(1200)).await;
            proxy.open();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.store(true, Ordering::Relaxed);
    };
    let writers = join_all((0..8).map(|writer| insist(&device, writer, &stop)));
    let (acknowledged, ()) = tokio::join!(writers, faults);
    let acknowledged: Vec<_> = acknowledged.into_iter().flatten().collect();
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    let stored = app
        .sql()
        .await
        .column("select value::text from sensor_readings")
        .await;
    assert_eq!(stored.len(), acknowledged.len());
    let stored: BTreeSet<i64> = stored.iter().map(|it| it.parse().unwrap()).collect();
    assert_eq!(stored, acknowledged.into_iter().collect());
    back(&app).await;
}
