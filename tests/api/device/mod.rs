//! `/devices` and `/devices/{id}`.

mod bulk;
mod list;
mod metadata;
mod sheet;
mod status;
mod tags;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, ago, now, reading_at};

#[tokio::test]
async fn a_device_is_provisioned_with_a_key_that_is_shown_once() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler", "metadata": {"site": "north"}, "offline_after": "5m"});
    let made = user.post("/devices", &body).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    let (id, key) = (made.text_at("/id"), made.text_at("/device_key"));
    assert!(key.starts_with("rdk_") && key.len() == 53, "{key}");
    assert!(key.starts_with(made.text_at("/key_prefix")));
    assert!(made.text_at("/key_prefix").len() < 15);
    for (member, value) in [
        ("name", json!("Boiler")),
        ("status", json!("offline")),
        ("enabled", json!(true)),
        ("last_seen_at", Value::Null),
        ("metadata", json!({"site": "north"})),
        ("offline_after", json!("5m")),
    ] {
        assert_eq!(made.body[member], value, "{member}");
    }
    assert!((now() - made.time_at("/created_at")).num_seconds() < 30);
    assert_eq!(made.body["created_at"], made.body["updated_at"]);

    let mut expected = made.body.clone();
    expected.as_object_mut().unwrap().remove("device_key");
    let shown = user.get(&format!("/devices/{id}")).await.expect(200);
    assert_eq!(shown.body, expected);
    let listed = user.get("/devices").await.expect(200);
    assert_eq!(listed.data(), &[expected]);
    let stored = app
        .sql()
        .await
        .one("select row_to_json(devices) from devices")
        .await;
    assert!(!stored.contains(key), "{stored}");
}

#[tokio::test]
async fn a_device_has_defaults() {
    let app = App::start().await;
    let user = app.user().await;
    let made = user.post("/devices", &json!({"name": " Boiler "})).await;
    let made = made.expect(201);
    assert_eq!(made.body["name"], "Boiler");
    assert_eq!(made.body["metadata"], json!({}));
    assert_eq!(made.body["offline_after"], "10m");
    assert_eq!(made.body["enabled"], true);
    let body = json!({"name": "Kettle", "enabled": false});
    let made = user.post("/devices", &body).await.expect(201);
    assert_eq!(made.body["enabled"], false);
}

#[tokio::test]
async fn a_device_is_refused_with_the_member_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let deep = json!([[[[[[[[[]]]]]]]]]);
    for (body, pointer, code) in [
        (json!({}), "/name", "missing_field"),
        (json!({"name": ""}), "/name", "invalid_value"),
        (json!({"name": "x".repeat(101)}), "/name", "invalid_value"),
        (
            json!({"name": "x", "status": "online"}),
            "/status",
            "unknown_field",
        ),
        (
            json!({"name": "x", "device_key": "y"}),
            "/device_key",
            "unknown_field",
        ),
        (
            json!({"name": "x", "metadata": []}),
            "/metadata",
            "invalid_value",
        ),
        (
            json!({"name": "x", "metadata": {"k": deep}}),
            "/metadata",
            "invalid_value",
        ),
        (
            json!({"name": "x", "metadata": {"k": "\u{0}"}}),
            "/metadata",
            "invalid_value",
        ),
        (
            json!({"name": "x", "metadata": {"k": "x".repeat(5000)}}),
            "/metadata",
            "invalid_value",
        ),
        (
            json!({"name": "x", "offline_after": "soon"}),
            "/offline_after",
            "invalid_value",
        ),
        (
            json!({"name": "x", "offline_after": 60}),
            "/offline_after",
            "invalid_value",
        ),
    ] {
        let answer = user.post("/devices", &body).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    assert!(user.get("/devices").await.expect(200).data().is_empty());
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_merges_metadata() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler", "metadata": {"site": "north", "floor": 1, "at": {"x": 1, "y": 2}}});
    let made = user.post("/devices", &body).await.expect(201);
    let path = format!("/devices/{}", made.text_at("/id"));

    let change = json!({"metadata": {"floor": null, "at": {"y": 3}, "new": true}});
    let media_type = Some((
        "application/merge-patch+json",
        change.to_string().into_bytes(),
    ));
    let patched = user.ask(Method::PATCH, &path, media_type).await.expect(200);
    let merged = json!({"site": "north", "at": {"x": 1, "y": 3}, "new": true});
    assert_eq!(patched.body["metadata"], merged);
    assert_eq!(patched.body["name"], "Boiler");
    assert!(patched.time_at("/updated_at") > made.time_at("/updated_at"));
    assert_eq!(patched.body["created_at"], made.body["created_at"]);
    assert!(patched.body.get("device_key").is_none());

    let change =
        json!({"name": "Kettle", "offline_after": "1h", "enabled": false, "metadata": null});
    let seen = user.with("if-match", patched.header("etag"));
    let patched = seen.patch(&path, &change).await.expect(200);
    assert_eq!(patched.body["name"], "Kettle");
    assert_eq!(patched.body["offline_after"], "1h");
    assert_eq!(patched.body["enabled"], false);
    assert_eq!(patched.body["metadata"], json!({}));

    let unchanged = user.patch(&path, &json!({})).await.expect(200);
    assert_eq!(unchanged.body, patched.body);
    assert_eq!(user.get(&path).await.expect(200).body, patched.body);
}

#[tokio::test]
async fn a_patch_is_refused_with_the_member_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let before = user.get(&device.path("")).await.expect(200).body;
    for (patch, pointer, code) in [
        (json!({"name": null}), "/name", "invalid_value"),
        (json!({"metadata": 7}), "/metadata", "invalid_value"),
        (
            json!({"metadata": {"k": "x".repeat(5000)}}),
            "/metadata",
            "invalid_combination",
        ),
        (json!({"device_key": "x"}), "/device_key", "unknown_field"),
        (json!({"status": "online"}), "/status", "unknown_field"),
    ] {
        let answer = user.patch(&device.path(""), &patch).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    assert_eq!(user.get(&device.path("")).await.expect(200).body, before);
}

#[tokio::test]
async fn a_disabled_device_is_refused_and_taken_again_when_enabled() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    user.patch(&device.path(""), &json!({"enabled": false}))
        .await
        .expect(200);
    for instance in [0, 1] {
        let answer = device
            .on(instance)
            .post_text("/readings", &reading_at(ago(8), 2))
            .await;
        answer.problem(403, "device_disabled");
    }
    let kept = user.get(&device.path("/readings")).await.expect(200);
    assert_eq!(kept.data().len(), 1);
    user.patch(&device.path(""), &json!({"enabled": true}))
        .await
        .expect(200);
    device.ingest_text(&reading_at(ago(8), 2)).await.expect(201);
}

#[tokio::test]
async fn a_deleted_device_is_gone_for_everyone_at_once() {
    let app = App::start().await;
    let user = app.user().await;
    let (device, other) = (user.device().await, user.device().await);
    device
        .ingest_text(&reading_at(ago(9), 101))
        .await
        .expect(201);
    let rule = user.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(8), 101))
        .await
        .expect(201);
    let alerts = user.get("/alerts").await.expect(200);
    let alert = alerts.text_at("/data/0/id").to_owned();

    user.delete(&device.path("")).await.expect(204);
    user.delete(&device.path(""))
        .await
        .problem(404, "not_found");
    for path in [
        "",
        "/readings",
        "/metrics",
        "/latest",
        "/rollups?metric=t&interval=1h",
        "/alert-rules",
    ] {
        user.get(&device.path(path)).await.problem(404, "not_found");
    }
    user.get(&format!("/alert-rules/{rule}"))
        .await
        .problem(404, "not_found");
    user.get(&format!("/alerts/{alert}"))
        .await
        .problem(404, "not_found");
    assert!(user.get("/alerts").await.expect(200).data().is_empty());
    let left = user.get("/devices").await.expect(200);
    assert_eq!(left.data().len(), 1);
    assert_eq!(left.text_at("/data/0/id"), other.id);
    for instance in [0, 1] {
        let late = device
            .on(instance)
            .post_text("/readings", &reading_at(ago(7), 1))
            .await;
        late.problem(401, "invalid_device_key");
    }
    let visible = app
        .sql()
        .await
        .one("select count(*) from sensor_readings")
        .await;
    assert_eq!(visible, "0");
}

#[tokio::test]
async fn metadata_that_the_database_writes_longer_is_read_back() {
    let app = App::start().await;
    let user = app.user().await;
    let numbers = vec!["1e16"; 600].join(",");
    let body = format!(r#"{{"name": "Kettle", "metadata": {{"a": [{numbers}]}}}}"#);
    let made = user.post_text("/devices", &body).await.expect(201);
    let path = format!("/devices/{}", made.text_at("/id"));
    let read = user.get(&path).await.expect(200);
    assert_eq!(read.body["metadata"]["a"].as_array().unwrap().len(), 600);
    user.patch(&path, &json!({"name": "Teapot"}))
        .await
        .expect(200);
}
