//! Those whose key no device has, which costs others nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::support::{App, Raw, ago, batch, reading_at};

/// Keys as the service makes them, which no device has any more.
async fn unknown_keys(app: &App, count: usize) -> Vec<String> {
    let user = app.user().await;
    let devices = join_all((0..count).map(|_| user.device_named("gone"))).await;
    let sql = app.sql().await;
    sql.run("delete from devices where name = 'gone'")
        .await
        .unwrap();
    devices.into_iter().map(|it| it.key).collect()
}

#[tokio::test]
async fn a_stranger_is_told_so_before_anything_of_the_body_is_read() {
    let app = App::start().await;
    let known = app.user().await.device().await;
    let keys = unknown_keys(&app, 1).await;
    for server in &app.servers {
        // No byte of the body is ever sent, its type is none that is taken, and it is too large.
        for (media_type, length) in [("text/plain", 100), ("application/json", 1 << 30)] {
            let mut raw = Raw::begin(server, &keys[0], media_type, length).await;
            let answer = raw.answer(Duration::from_secs(5)).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(
                answer.contains(r#""code":"invalid_device_key""#),
                "{answer}"
            );
        }
        let mut raw = Raw::begin(server, &known.key, "text/plain", 100).await;
        let answer = raw.answer(Duration::from_secs(5)).await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
        let mut raw = Raw::begin(server, &known.key, "application/json", 1 << 30).await;
        let answer = raw.answer(Duration::from_secs(5)).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    let anonymous = app.anonymous().with_key(&keys[0]);
    for body in ["{", &batch((0..10_000).map(|n| reading_at(ago(n), n)))] {
        let answer = anonymous.post_text("/readings?surprise=1", body).await;
        answer.problem(401, "invalid_device_key");
    }
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_disturb_a_good_device() {
    let app = App::start().await;
    let good = app.user().await.device().await;
    let keys = unknown_keys(&app, 200).await;
    let stop = AtomicBool::new(false);
    let flood = async {
        for instance in [0, 1, 0] {
            let posts = keys.iter().map(|key| {
                let stranger = app.anonymous().on(instance).with_key(key);
                async move {
                    let answer = stranger
                        .post_text("/readings", &reading_at(ago(9), 1))
                        .await;
                    answer.problem(401, "invalid_device_key");
                }
            });
            join_all(posts).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let posting = async {
        let mut slowest = Duration::ZERO;
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let began = std::time::Instant::now();
            let body = reading_at(ago(900) + TimeDelta::milliseconds(count), count);
            good.ingest_text(&body).await.expect(201);
            slowest = slowest.max(began.elapsed());
            count += 1;
        }
        (count, slowest)
    };
    let ((), (count, slowest)) = tokio::join!(flood, posting);
    assert!(count > 0);
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    let sql = app.sql().await;
    assert_eq!(
        sql.one("select count(*) from samples").await,
        count.to_string()
    );
    assert_eq!(sql.one("select count(*) from rejections").await, "0");
}
