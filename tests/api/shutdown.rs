//! An orderly end loses nothing that was acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use reqwest::Method;

use crate::support::{App, Device, JSON, ago, reading_at, time};

/// Posts reading after reading until told to stop, and tells which were acknowledged.
async fn pour(device: &Device, instance: usize, from: i64, stop: &AtomicBool) -> Vec<i64> {
    let client = device.on(instance);
    let mut acknowledged = Vec::new();
    for n in from.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let body =
            reading_at(time("2026-01-01T00:00:00Z") + TimeDelta::milliseconds(n), n).into_bytes();
        match client
            .try_ask(Method::POST, "/readings", Some((JSON, body)))
            .await
        {
            Ok(answer) if answer.status == 201 || answer.status == 200 => acknowledged.push(n),
            // Going down, it may refuse or not answer, but nothing else.
            Ok(answer) => {
                answer.problem(503, "unavailable");
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    acknowledged
}

#[tokio::test]
async fn what_was_acknowledged_before_the_end_is_stored() {
    let mut app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let stop = AtomicBool::new(false);
    let mut server = app.servers.remove(0);
    let writers = join_all((0..16).map(|writer| pour(&device, 0, writer * 1_000_000, &stop)));
    let end = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.signal(Signal::SIGTERM);
        let status = server.ended().await;
        stop.store(true, Ordering::Relaxed);
        assert_eq!(status.code(), Some(0), "{}", server.log());
    };
    let (acknowledged, ()) = tokio::join!(writers, end);
    let acknowledged: BTreeSet<_> = acknowledged.into_iter().flatten().collect();
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    let stored = app
        .sql()
        .await
        .column("select value::text from sensor_readings")
        .await;
    let stored: BTreeSet<i64> = stored.iter().map(|it| it.parse().unwrap()).collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[tokio::test]
async fn the_other_instance_goes_on() {
    let mut app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let mut server = app.servers.remove(0);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
    let other = device.on(1);
    other
        .post_text("/readings", &reading_at(ago(9), 1))
        .await
        .expect(201);
    user.on(1).get("/devices").await.expect(200);
}

#[tokio::test]
async fn an_idle_instance_ends_at_once_on_either_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut app = App::start().await;
        app.user().await;
        let began = std::time::Instant::now();
        let mut server = app.servers.remove(1);
        server.signal(signal);
        assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
}
