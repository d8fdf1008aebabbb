//! `POST /readings` packed, and packed to do harm.

use super::formats::{NDJSON, PACKED, SENML, gzip, post};
use crate::support::{App, JSON, ago, batch, reading_at};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test]
async fn a_single_reading_may_be_packed_too() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = gzip(reading_at(ago(9), "1.50").as_bytes());
    let client = device.with("content-encoding", "gzip");
    let answer = post(&client, "", JSON, body.clone()).await.expect(201);
    assert!(answer.text.contains("1.50"), "{}", answer.text);
    post(&client, "", JSON, body).await.expect(200);
}

#[tokio::test]
async fn bombs_are_too_large_and_harm_nobody() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for (encoding, pack) in &PACKED[1..] {
        let client = device.with("content-encoding", *encoding);
        let bomb = pack(&vec![0; 20 * MEBIBYTE]);
        assert!(bomb.len() < MEBIBYTE);
        for media_type in [JSON, NDJSON, SENML] {
            let answer = post(&client, "", media_type, bomb.clone()).await;
            answer.problem(413, "payload_too_large");
        }
        let reading = batch([reading_at(ago(9), 1)]);
        let padded = |length: usize| {
            let padding = " ".repeat(length - reading.len());
            pack(format!("{reading}{padding}").as_bytes())
        };
        post(&client, "", JSON, padded(10 * MEBIBYTE))
            .await
            .expect(200);
        let answer = post(&client, "", JSON, padded(10 * MEBIBYTE + 1)).await;
        answer.problem(413, "payload_too_large");
    }
}

#[tokio::test]
async fn what_cannot_be_inflated_to_its_end_stores_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let lines: Vec<_> = (0..200).map(|n| reading_at(ago(n), n)).collect();
    for (encoding, pack) in &PACKED[1..] {
        let client = device.with("content-encoding", *encoding);
        for (media_type, body) in [(NDJSON, lines.join("\n")), (JSON, batch(lines.clone()))] {
            let whole = pack(body.as_bytes());
            let mut wrong = vec![body.clone().into_bytes(), [&whole[..], b"more"].concat()];
            for length in [0, 1, whole.len() / 2, whole.len() - 1] {
                wrong.push(whole[..length].to_vec());
            }
            for body in wrong {
                let answer = post(&client, "", media_type, body).await;
                answer.problem(400, "malformed_encoding");
            }
        }
    }
    let packed = gzip(batch(lines).as_bytes());
    let answer = post(&device, "", JSON, packed).await;
    answer.problem(400, "malformed_json");
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "0");
}
