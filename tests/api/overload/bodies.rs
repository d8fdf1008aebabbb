//! Bodies that are slow, broken off, or too many at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::{App, Device, JSON, Raw, Server, ago, batch, eventually, reading_at};

const MEBIBYTE: usize = 1024 * 1024;

/// Room for four bodies of a mebibyte, of which one owner may have two.
fn narrow() -> (&'static str, String) {
    ("INGEST_QUEUE_BYTES", (4 * MEBIBYTE).to_string())
}

/// Sends most of a body of a mebibyte, and no end of it.
async fn hold(server: &Server, device: &Device) -> Raw {
    let mut raw = Raw::begin(server, &device.key, JSON, MEBIBYTE).await;
    let piece = vec![b' '; MEBIBYTE - 4_096];
    assert!(raw.send(&piece).await, "the piece should be taken");
    raw
}

/// Waits until what is held has arrived and fills the room of the first instance.
async fn full(app: &App) {
    let root = app.anonymous().on(0).at_root();
    eventually("a full room", Duration::from_secs(5), async || {
        let metrics = root.get("/metrics").await;
        let mut lines = metrics.text.lines();
        let bytes = lines.find_map(|line| line.strip_prefix("readout_ingest_room_bodies "));
        bytes.unwrap().parse::<f64>().unwrap() < 20_000.0
    })
    .await;
}

/// It is refused at once, and told to come back.
async fn assert_refused(device: &Device) {
    let began = Instant::now();
    let whole = batch((0..2_000).map(|n| reading_at(ago(n), n)));
    let answer = device.on(0).post_text("/readings", &whole).await;
    let answer = answer.problem(503, "overloaded");
    assert!(!answer.header("retry-after").is_empty());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn bodies_that_do_not_end_take_room_only_until_their_deadline() {
    let app = App::start_with(&[narrow()]).await;
    let slow = app.user().await.device().await;
    let (other, good) = (
        app.user().await.device().await,
        app.user().await.device().await,
    );
    let server = &app.servers[0];
    let began = Instant::now();
    let mut held = join_all((0..2).map(|_| hold(server, &slow))).await;
    // One owner does not take the room of others.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let whole = batch((0..2_000).map(|n| reading_at(ago(10_000 + n), n)));
    let answer = good.on(0).post_text("/readings", &whole).await;
    answer.expect(200);
    held.extend(join_all((0..2).map(|_| hold(server, &other))).await);
    let mut trickle = Raw::begin(server, &slow.key, JSON, 100).await;
    full(&app).await;
    assert_refused(&good).await;
    // The other instance has room of its own.
    let there = good
        .on(1)
        .post_text("/readings", &reading_at(ago(8), 1))
        .await;
    there.expect(201);
    // It is not idle, and still has no more time than others.
    while began.elapsed() < Duration::from_secs(18) {
        assert!(trickle.send(b" ").await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for raw in held.iter_mut().chain([&mut trickle]) {
        let answer = raw.answer(Duration::from_secs(10)).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(28), "{took:?}");
    let whole = batch((0..2_000).map(|n| reading_at(ago(100 + n), n)));
    let answer = good.on(0).post_text("/readings", &whole).await.expect(200);
    assert_eq!(answer.body["accepted"], 2_000);
}

#[tokio::test]
async fn one_who_hangs_up_gives_back_the_room_and_stores_nothing() {
    let app = App::start_with(&[narrow()]).await;
    let rude = app.user().await.device().await;
    let (other, good) = (
        app.user().await.device().await,
        app.user().await.device().await,
    );
    let server = &app.servers[0];
    let devices = [&rude, &rude, &other, &other];
    let held = join_all(devices.map(|device| hold(server, device))).await;
    full(&app).await;
    assert_refused(&good).await;
    drop(held);
    let whole = batch((0..2_000).map(|n| reading_at(ago(n), n)));
    eventually("room", Duration::from_secs(3), async || {
        let answer = good.on(0).post_text("/readings", &whole).await;
        answer.status == 200
    })
    .await;
    // A whole document, but less than was announced.
    let body = batch([reading_at(ago(9), 1)]);
    for sent in [body.len(), body.len() - 1] {
        let mut raw = Raw::begin(server, &rude.key, JSON, body.len() + 1).await;
        assert!(raw.send(&body.as_bytes()[..sent]).await);
        drop(raw);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "2000");
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn more_bytes_than_there_is_room_for_are_refused_at_once_and_taken_later() {
    let app = App::start_with(&[narrow(), ("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    let device = user.device().await;
    let whole = |of: i64| batch((0..10_000).map(|n| reading_at(ago(20_000 * of + n), n)));
    let bodies: Vec<_> = (0..16).map(whole).collect();
    let mut waiting: Vec<_> = bodies.iter().collect();
    let mut refused = 0;
    // Those who come back are all served in the end, each once.
    let client = device.on(0);
    for _ in 0..30 {
        let posts = waiting
            .iter()
            .map(|body| client.post_text("/readings", body));
        let answers = join_all(posts).await;
        let mut again = Vec::new();
        for (body, answer) in waiting.into_iter().zip(answers) {
            if answer.status == 200 {
                assert_eq!(answer.body["accepted"], 10_000);
            } else {
                let answer = answer.problem(503, "overloaded");
                assert!(!answer.header("retry-after").is_empty());
                again.push(body);
            }
        }
        refused += again.len();
        waiting = again;
        if waiting.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(waiting.is_empty(), "{} were never served", waiting.len());
    assert!(refused > 0, "this test should have been refused something");
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "160000");
}
