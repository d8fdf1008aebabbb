//! Answers are packed for whoever asks, and those with secrets never.

use std::io::Read;

use serde_json::{Value, json};

use crate::support::{App, Client, Device, PASSWORD, User, ago, batch, reading_at};

/// The body of an answer as it was sent, with its headers.
async fn sent(client: &Client, path: &str) -> (reqwest::header::HeaderMap, Vec<u8>) {
    let response = client.open(path).await;
    let headers = response.headers().clone();
    (headers, response.bytes().await.unwrap().to_vec())
}

fn inflated(coding: &str, packed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(packed).read_to_end(&mut body),
        "zstd" => zstd::stream::read::Decoder::new(packed)
            .unwrap()
            .read_to_end(&mut body),
        _ => unreachable!("{coding}"),
    }
    .unwrap();
    body
}

async fn with_readings(user: &User) -> Device {
    let device = user.device().await;
    let all = batch((0..2_000).map(|n| reading_at(ago(60 * n), n)));
    device.ingest_text(&all).await.expect(200);
    device
}

#[tokio::test]
async fn long_answers_are_packed_as_the_client_likes_them_best() {
    let app = App::start().await;
    let user = app.user().await;
    let device = with_readings(&user).await;
    let root = app.anonymous().at_root();
    let token = root.with_token(&user.access_token);
    let at = |rest: &str| format!("/api/v1{}", device.path(rest));
    for path in [
        at("/readings?limit=500"),
        at("/rollups?metric=t&interval=1m&limit=11000"),
        "/api/openapi.json".to_owned(),
        "/problems".to_owned(),
        "/metrics".to_owned(),
    ] {
        let (plain_headers, plain) = sent(&token, &path).await;
        assert!(!plain_headers.contains_key("content-encoding"), "{path}");
        assert!(
            plain_headers["vary"]
                .to_str()
                .unwrap()
                .contains("Accept-Encoding"),
            "{path}"
        );
        for (wish, coding) in [
            ("gzip", "gzip"),
            ("zstd", "zstd"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("zstd;q=0.1, gzip", "gzip"),
        ] {
            let (headers, packed) = sent(&token.with("accept-encoding", wish), &path).await;
            assert_eq!(headers["content-encoding"], coding, "{path} {wish}");
            assert_eq!(headers["vary"], plain_headers["vary"], "{path}");
            assert_eq!(
                headers["content-length"].to_str().unwrap(),
                packed.len().to_string()
            );
            assert!(
                packed.len() * 2 < plain.len(),
                "{path}: {} of {}",
                packed.len(),
                plain.len()
            );
            if path != "/metrics" {
                assert!(inflated(coding, &packed) == plain, "{path} {wish}");
            }
        }
        for wish in ["br", "identity", "gzip;q=0", "gzip;q=0.5, identity"] {
            let (headers, _) = sent(&token.with("accept-encoding", wish), &path).await;
            assert!(!headers.contains_key("content-encoding"), "{path} {wish}");
        }
    }
}

#[tokio::test]
async fn a_tag_is_that_of_the_coding() {
    let app = App::start().await;
    let user = app.user().await;
    let device = with_readings(&user).await;
    let path = device.path(
        "/rollups?metric=t&interval=1m&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z&fill=0",
    );
    let tag = async |wish: &str| {
        let (headers, _) = sent(&user.with("accept-encoding", wish), &path).await;
        headers["etag"].to_str().unwrap().to_owned()
    };
    let tags = [tag("identity").await, tag("gzip").await, tag("zstd").await];
    assert!(
        tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
        "{tags:?}"
    );
    for (wish, known, status) in [
        ("gzip", &tags[1], 304),
        ("zstd", &tags[2], 304),
        ("identity", &tags[0], 304),
        ("gzip", &tags[0], 200),
        ("identity", &tags[2], 200),
    ] {
        let asking = user
            .with("accept-encoding", wish)
            .with("if-none-match", known);
        let answer = asking.open(&path).await;
        assert_eq!(answer.status(), status, "{wish} {known}");
        assert!(answer.headers().contains_key("etag"));
    }
}

#[tokio::test]
async fn an_edit_takes_the_tag_of_a_packed_answer() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler", "metadata": {"note": "x".repeat(2_000)}});
    let made = user.post("/devices", &body).await.expect(201);
    let path = format!("/devices/{}", made.text_at("/id"));
    let (headers, _) = sent(&user.with("accept-encoding", "gzip"), &path).await;
    assert_eq!(headers["content-encoding"], "gzip");
    let seen = user.with("if-match", headers["etag"].to_str().unwrap());
    seen.patch(&path, &json!({"name": "a"})).await.expect(200);
    seen.patch(&path, &json!({"name": "b"}))
        .await
        .problem(412, "precondition_failed");
}

#[tokio::test]
async fn what_holds_a_secret_or_is_short_is_sent_as_it_is() {
    let app = App::start().await;
    let user = app.user().await;
    let asking = user.with("accept-encoding", "gzip, zstd");
    let credentials = json!({"email": user.email, "password": PASSWORD});
    // A key, beside as much text of the caller's as there may be.
    let device = json!({"name": "Boiler", "metadata": {"note": "rdk_".repeat(900)}});
    for answer in [
        asking.post("/auth/sign-in", &credentials).await.expect(200),
        asking.post("/devices", &device).await.expect(201),
        asking.get("/auth/session").await.expect(200),
        asking.get("/alerts").await.expect(200),
    ] {
        assert_eq!(answer.header("content-encoding"), "", "{answer:?}");
        assert!(answer.body.is_object());
    }
}

#[tokio::test]
async fn a_long_receipt_is_packed_too() {
    let app = App::start().await;
    let device = app.user().await.device().await;
    let body = batch((0..2_000).map(|n| reading_at(ago(n), n)));
    let url = format!("{}/api/v1/readings?receipt=full", app.servers[0].url());
    let request = reqwest::Client::new()
        .post(url)
        .header("x-device-key", &device.key);
    let request = request
        .header("content-type", "application/json")
        .header("accept-encoding", "zstd");
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "zstd");
    let receipt: Value =
        serde_json::from_slice(&inflated("zstd", &response.bytes().await.unwrap())).unwrap();
    assert_eq!(receipt["accepted"], 2_000);
}
