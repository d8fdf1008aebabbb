//! Answers are kept sealed, for a day, and as long as their device is there.

use std::time::Duration;

use serde_json::json;

use super::{assert_replayed, count_devices, keyed};
use crate::support::{App, Device, Server, ago, eventually, reading_at};

const AGE: &str = "update idempotency_keys set kept_at = kept_at - interval '24 hours 1 second'";

#[tokio::test]
async fn after_a_day_a_key_stands_for_a_new_request() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    let client = keyed(&user, "k");
    let body = json!({"name": "a"});
    let first = client.post("/devices", &body).await.expect(201);
    sql.run("update idempotency_keys set kept_at = kept_at - interval '23 hours 59 minutes'")
        .await
        .unwrap();
    assert_replayed(&client.post("/devices", &body).await.expect(201), &first);
    sql.run(AGE).await.unwrap();
    let other = json!({"name": "b"});
    let second = client.post("/devices", &other).await.expect(201);
    assert_eq!(second.header("idempotency-replayed"), "");
    assert_ne!(second.text_at("/id"), first.text_at("/id"));
    assert_replayed(&client.post("/devices", &other).await.expect(201), &second);
    let refused = client.post("/devices", &body).await;
    refused.problem(422, "idempotency_mismatch");
    assert_eq!(count_devices(&user).await, 2);
}

#[tokio::test]
async fn what_is_a_day_old_is_erased_and_nothing_else() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    let body = json!({"name": "a"});
    keyed(&user, "old")
        .post("/devices", &body)
        .await
        .expect(201);
    sql.run(
        "insert into idempotency_keys select owner_id, sha256(n::text::bytea), fingerprint, answer, device_id, kept_at
         from idempotency_keys, generate_series(1, 2500) as n",
    )
    .await
    .unwrap();
    sql.run(AGE).await.unwrap();
    let young = keyed(&user, "young");
    let first = young.post("/devices", &body).await.expect(201);
    // An instance looks when it is started, and every minute then.
    let _server = Server::start(&App::settings(&app.database)).await;
    eventually(
        "the old ones are erased",
        Duration::from_secs(20),
        async || sql.one("select count(*) from idempotency_keys").await == "1",
    )
    .await;
    assert_replayed(&young.post("/devices", &body).await.expect(201), &first);
    assert_eq!(count_devices(&user).await, 2);
}

#[tokio::test]
async fn what_is_kept_cannot_be_read_in_the_database() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "a name to be found"});
    let made = keyed(&user, "a-key-to-be-found")
        .post("/devices", &body)
        .await;
    let made = made.expect(201);
    let bulk = json!({"devices": [body]});
    keyed(&user, "another")
        .post("/devices/bulk", &bulk)
        .await
        .expect(200);
    let rows = app
        .sql()
        .await
        .column("select idempotency_keys::text || encode(answer, 'escape') || encode(answer, 'hex') from idempotency_keys")
        .await;
    assert_eq!(rows.len(), 2);
    let key = made.text_at("/device_key");
    let hex = |text: &str| {
        let digits = text.bytes().map(|it| format!("{it:02x}"));
        digits.collect::<Vec<_>>().concat()
    };
    for text in ["rdk_", "a name", "a-key", "device_key", key] {
        for row in &rows {
            assert!(
                !row.contains(text) && !row.contains(&hex(text)),
                "{text}: {row}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_kept_of_one_request_cannot_be_read_in_the_place_of_another() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    let body = json!({"name": "a"});
    for key in ["one", "two"] {
        keyed(&user, key).post("/devices", &body).await.expect(201);
    }
    sql.run(
        "update idempotency_keys as it set answer = other.answer from idempotency_keys as other
         where other.key_hash <> it.key_hash",
    )
    .await
    .unwrap();
    for key in ["one", "two"] {
        let answer = keyed(&user, key).post("/devices", &body).await;
        let answer = answer.problem(503, "unavailable");
        assert!(!answer.text.contains("rdk_"));
    }
    assert_eq!(count_devices(&user).await, 2);
}

#[tokio::test]
async fn an_api_key_is_told_again_until_it_is_revoked() {
    let app = App::start().await;
    let user = app.user().await;
    let client = keyed(&user, "k");
    let body = json!({"name": "Nightly", "scopes": ["devices:read"]});
    let first = client.post("/auth/api-keys", &body).await.expect(201);
    let again = client.post("/auth/api-keys", &body).await.expect(201);
    assert_replayed(&again, &first);
    let program = app.anonymous().with_token(again.text_at("/api_key"));
    program.get("/devices").await.expect(200);
    let stored = "select idempotency_keys::text || encode(answer, 'escape') from idempotency_keys";
    let stored = app.sql().await.one(stored).await;
    assert!(!stored.contains("rpk_"), "{stored}");

    let path = format!("/auth/api-keys/{}", first.text_at("/id"));
    user.delete(&path).await.expect(204);
    let second = client.post("/auth/api-keys", &body).await.expect(201);
    assert_ne!(second.text_at("/api_key"), first.text_at("/api_key"));
    let program = app.anonymous().with_token(second.text_at("/api_key"));
    program.get("/devices").await.expect(200);
}

#[tokio::test]
async fn with_its_device_an_answer_is_erased_and_the_next_one_works() {
    let app = App::start().await;
    let user = app.user().await;
    let client = keyed(&user, "k");
    let body = json!({"name": "a"});
    let first = client.post("/devices", &body).await.expect(201);
    let device = Device::provisioned(&user, &first);
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    keyed(&user, "r")
        .post(&device.path("/alert-rules"), &rule)
        .await
        .expect(201);
    user.delete(&device.path("")).await.expect(204);
    let left = app
        .sql()
        .await
        .one("select count(*) from idempotency_keys")
        .await;
    assert_eq!(left, "0");
    let second = client.post("/devices", &body).await.expect(201);
    assert_eq!(second.header("idempotency-replayed"), "");
    let device = Device::provisioned(&user, &second);
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
}
