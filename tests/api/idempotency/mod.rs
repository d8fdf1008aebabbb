//! `Idempotency-Key`: what is asked for is done once, and who asks again gets the same answer.

mod erased;
mod lost;
mod parallel;

use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, App, Client, Server, User, ago, reading_at};

/// A client whose requests are all called by this key.
fn keyed(client: &Client, key: &str) -> Client {
    client.with("idempotency-key", key)
}

fn fresh_key() -> String {
    Uuid::new_v4().to_string()
}

#[track_caller]
fn assert_replayed(again: &Answer, first: &Answer) {
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    for name in ["content-type", "cache-control"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
}

async fn count_devices(user: &User) -> usize {
    user.all("/devices?limit=500").await.len()
}

#[tokio::test]
async fn a_device_is_provisioned_once_for_a_key_and_its_key_is_told_again() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler", "tags": {"site": "north"}});
    let key = fresh_key();
    let first = keyed(&user.on(0), &key).post("/devices", &body).await;
    let first = first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    for instance in [0, 1] {
        for written in [key.clone(), format!("\"{key}\"")] {
            let client = keyed(&user.on(instance), &written);
            let again = client.post("/devices", &body).await.expect(201);
            assert_replayed(&again, &first);
        }
    }
    assert_eq!(count_devices(&user).await, 1);
    let device = crate::support::Device::provisioned(&user, &first);
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);

    // Also one that is started later.
    let later = Server::start(&App::settings(&app.database)).await;
    let later = Client::anonymous([later.url().to_owned()].into()).with_token(&user.access_token);
    let again = keyed(&later, &key).post("/devices", &body).await;
    assert_replayed(&again.expect(201), &first);
}

#[tokio::test]
async fn another_key_or_none_is_another_request() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler"});
    for client in [
        (*user).clone(),
        (*user).clone(),
        keyed(&user, "a"),
        keyed(&user, "A"),
        keyed(&user, &"x".repeat(255)),
    ] {
        let made = client.post("/devices", &body).await.expect(201);
        assert_eq!(made.header("idempotency-replayed"), "");
    }
    assert_eq!(count_devices(&user).await, 5);
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    let of_fleet = json!({"metric": "t", "comparator": "gt", "threshold": 1, "selector": {"tags": {"a": "b"}}});
    let client = keyed(&user, "one");
    client
        .post("/devices", &json!({"name": "a"}))
        .await
        .expect(201);
    for (path, body) in [
        ("/devices", json!({"name": "b"})),
        (device.path("/alert-rules").as_str(), rule),
        ("/alert-rules", of_fleet),
    ] {
        let refused = client.post(path, &body).await;
        refused.problem(422, "idempotency_mismatch");
    }
    // The same but for a blank is not the same.
    let refused = client.post_text("/devices", r#"{"name": "a" }"#).await;
    refused.problem(422, "idempotency_mismatch");
    assert_eq!(count_devices(&user).await, 2);
    assert!(user.get("/alert-rules").await.expect(200).data().is_empty());
}

#[tokio::test]
async fn a_malformed_key_is_refused_by_its_name() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler"});
    let twice = keyed(&keyed(&user, "a"), "a");
    let mut clients = vec![twice];
    for key in ["", "a b", "é", &"x".repeat(256)] {
        clients.push(keyed(&user, key));
    }
    for client in clients {
        for path in ["/devices", "/devices/bulk", "/alert-rules"] {
            let answer = client.post(path, &body).await;
            let answer = answer.problem(422, "validation_failed");
            answer.blames("Idempotency-Key", "invalid_value");
        }
    }
    assert_eq!(count_devices(&user).await, 0);
}

#[tokio::test]
async fn a_key_is_the_owner_s_own() {
    let app = App::start().await;
    let (one, two) = (app.user().await, app.user().await);
    let body = json!({"name": "Boiler"});
    let first = keyed(&one, "k").post("/devices", &body).await.expect(201);
    let second = keyed(&two, "k")
        .post("/devices", &json!({"name": "Kettle"}))
        .await;
    let second = second.expect(201);
    assert_ne!(first.text_at("/id"), second.text_at("/id"));
    assert_eq!(second.header("idempotency-replayed"), "");
    for user in [&one, &two] {
        assert_eq!(count_devices(user).await, 1);
    }
    // Who has no session gets nothing of what was kept.
    let stranger = keyed(&app.anonymous(), "k");
    let refused = stranger.post("/devices", &body).await;
    refused.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_program_s_keys_are_not_those_of_its_user() {
    let app = App::start().await;
    let user = app.user().await;
    let made = json!({"name": "Provisioning", "scopes": ["devices:write"]});
    let made = user.post("/auth/api-keys", &made).await.expect(201);
    let other = json!({"name": "Another one", "scopes": ["devices:write"]});
    let other = user.post("/auth/api-keys", &other).await.expect(201);
    let programs = [made, other].map(|it| app.anonymous().with_token(it.text_at("/api_key")));
    let body = json!({"name": "Boiler"});
    let mut answers = Vec::new();
    for client in [&*user, &programs[0], &programs[1]] {
        let first = keyed(client, "k").post("/devices", &body).await.expect(201);
        let again = keyed(client, "k").post("/devices", &body).await.expect(201);
        assert_replayed(&again, &first);
        answers.push(first.text_at("/id").to_owned());
    }
    answers.dedup();
    assert_eq!(answers.len(), 3);
    assert_eq!(count_devices(&user).await, 3);
    let [program, _] = programs;
    // What it may not do it cannot have answered again either.
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1, "selector": {"tags": {"a": "b"}}});
    keyed(&user, "r")
        .post("/alert-rules", &rule)
        .await
        .expect(201);
    let refused = keyed(&program, "r").post("/alert-rules", &rule).await;
    refused.problem(403, "insufficient_scope");
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let app = App::start().await;
    let user = app.user().await;
    let client = keyed(&user, "k");
    for _ in 0..2 {
        let refused = client.post("/devices", &json!({"name": ""})).await;
        let refused = refused.problem(422, "validation_failed");
        assert_eq!(refused.header("idempotency-replayed"), "");
    }
    client
        .post("/devices", &json!({"name": "x"}))
        .await
        .expect(201);

    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    let gone = format!("/devices/{}/alert-rules", Uuid::new_v4());
    let client = keyed(&user, "of a rule".replace(' ', "-").as_str());
    client.post(&gone, &rule).await.problem(404, "not_found");
    let device = user.device().await;
    client
        .post(&device.path("/alert-rules"), &rule)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_rule_is_armed_once_for_a_key() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1.50});
    let of_fleet = json!({"metric": "t", "comparator": "gt", "threshold": 1, "selector": {"tags": {"a": "b"}}});
    for (path, body) in [
        (device.path("/alert-rules").as_str(), rule),
        ("/alert-rules", of_fleet),
    ] {
        let client = keyed(&user, &fresh_key());
        let first = client.post(path, &body).await.expect(201);
        let again = client.post(path, &body).await.expect(201);
        assert_replayed(&again, &first);
    }
    assert_eq!(user.get("/alert-rules").await.expect(200).data().len(), 2);
}

#[tokio::test]
async fn as_many_rules_as_there_may_be_are_told_again() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    let path = device.path("/alert-rules");
    for _ in 0..99 {
        user.post(&path, &body).await.expect(201);
    }
    let client = keyed(&user, "last");
    let first = client.post(&path, &body).await.expect(201);
    let refused = keyed(&user, "more").post(&path, &body).await;
    refused.problem(422, "validation_failed");
    let again = client.post(&path, &body).await.expect(201);
    assert_replayed(&again, &first);
}

#[tokio::test]
async fn operations_that_need_no_key_take_none() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let client = keyed(&user, "k");
    let preview = json!({"rule": {"metric": "t", "comparator": "gt", "threshold": 1}});
    for _ in 0..2 {
        let answer = client
            .post(&device.path("/alert-rules/preview"), &preview)
            .await;
        assert_eq!(answer.expect(200).header("idempotency-replayed"), "");
    }
    let reading = reading_at(ago(9), 1);
    for status in [201, 200] {
        let client = keyed(&device, "k");
        client.post_text("/readings", &reading).await.expect(status);
    }
}
