//! `/devices/{id}/alert-rules` and `/alert-rules/{id}`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Device, User, ago, reading_at};

#[tokio::test]
async fn a_rule_is_armed_with_defaults() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = r#"{"metric": "t", "comparator": "gt", "threshold": 99.50}"#;
    let made = user
        .post_text(&device.path("/alert-rules"), body)
        .await
        .expect(201);
    for (member, value) in [
        ("device_id", json!(device.id)),
        ("name", json!("t gt 99.50")),
        ("metric", json!("t")),
        ("comparator", json!("gt")),
        ("severity", json!("warning")),
        ("enabled", json!(true)),
        ("version", json!(1)),
    ] {
        assert_eq!(made.body[member], value, "{member}");
    }
    assert!(made.text.contains(r#""threshold":99.50"#), "{}", made.text);
    assert_eq!(made.time_at("/created_at"), made.time_at("/updated_at"));
    let path = format!("/alert-rules/{}", made.text_at("/id"));
    assert_eq!(user.get(&path).await.expect(200).text, made.text);
}

#[tokio::test]
async fn a_rule_takes_everything_that_it_can_have() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = json!({
        "name": "Too cold", "metric": "t", "comparator": "lte", "threshold": -5,
        "severity": "critical", "enabled": false,
    });
    let made = user
        .post(&device.path("/alert-rules"), &body)
        .await
        .expect(201);
    for (member, value) in body.as_object().unwrap() {
        assert_eq!(&made.body[member], value, "{member}");
    }
}

#[tokio::test]
async fn a_rule_is_refused_with_the_member_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let with = |member: &str, value: Value| {
        let mut body = json!({"metric": "t", "comparator": "gt", "threshold": 1});
        body[member] = value;
        body
    };
    for (body, pointer, code) in [
        (
            json!({"comparator": "gt", "threshold": 1}),
            "/metric",
            "missing_field",
        ),
        (
            json!({"metric": "t", "threshold": 1}),
            "/comparator",
            "missing_field",
        ),
        (
            json!({"metric": "t", "comparator": "gt"}),
            "/threshold",
            "missing_field",
        ),
        (with("metric", json!("9")), "/metric", "invalid_value"),
        (
            with("comparator", json!("eq")),
            "/comparator",
            "invalid_value",
        ),
        (with("threshold", json!("1")), "/threshold", "invalid_value"),
        (
            with("severity", json!("fatal")),
            "/severity",
            "invalid_value",
        ),
        (with("enabled", json!("yes")), "/enabled", "invalid_value"),
        (with("version", json!(7)), "/version", "unknown_field"),
    ] {
        let answer = user.post(&device.path("/alert-rules"), &body).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    let precise = r#"{"metric": "t", "comparator": "gt", "threshold": 1e400}"#;
    let answer = user.post_text(&device.path("/alert-rules"), precise).await;
    let answer = answer.problem(422, "validation_failed");
    answer.blames("/threshold", "invalid_value");
    let none = user.get(&device.path("/alert-rules")).await.expect(200);
    assert!(none.data().is_empty());
}

#[tokio::test]
async fn rules_are_listed_by_device_page_by_page() {
    let app = App::start().await;
    let user = app.user().await;
    let (device, other) = (user.device().await, user.device().await);
    let mut made = Vec::new();
    for threshold in 0..7 {
        made.push(user.rule(&device, "gt", threshold).await);
    }
    user.rule(&other, "gt", 1).await;
    let rules = user.all(&device.path("/alert-rules?limit=3")).await;
    let ids: Vec<_> = rules.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, made);
    let whole = user.get(&device.path("/alert-rules")).await.expect(200);
    assert_eq!(whole.data(), &rules);
    let unknown = format!("/devices/{}/alert-rules", Uuid::now_v7());
    user.get(&unknown).await.problem(404, "not_found");
    let body = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    user.post(&unknown, &body).await.problem(404, "not_found");
}

#[tokio::test]
async fn an_edit_counts_once_and_only_if_it_changes_something() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let path = format!("/alert-rules/{}", user.rule(&device, "gt", 100).await);
    let edit = async |patch: Value| user.patch(&path, &patch).await.expect(200).body;
    let made = user.get(&path).await.expect(200).body;
    assert_eq!(edit(json!({})).await, made);
    assert_eq!(edit(json!({"threshold": 100})).await, made);
    let edited = edit(json!({"threshold": 101, "name": "Hot", "severity": "info"})).await;
    assert_eq!(
        (&edited["version"], &edited["threshold"]),
        (&json!(2), &json!(101))
    );
    assert_eq!(
        (&edited["name"], &edited["severity"]),
        (&json!("Hot"), &json!("info"))
    );
    assert_eq!(edited["created_at"], made["created_at"]);
    assert_ne!(edited["updated_at"], made["updated_at"]);
    for (patch, pointer, code) in [
        (json!({"threshold": null}), "/threshold", "invalid_value"),
        (
            json!({"device_id": Uuid::now_v7()}),
            "/device_id",
            "unknown_field",
        ),
    ] {
        let answer = user.patch(&path, &patch).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    assert_eq!(user.get(&path).await.expect(200).body, edited);
}

/// A rule with an open alert, by their paths.
async fn firing(user: &User, device: &Device) -> (String, String) {
    let rule = user.rule(device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(60), 101))
        .await
        .expect(201);
    let alerts = user
        .get(&format!("/alerts?rule_id={rule}&status=firing"))
        .await;
    let alerts = alerts.expect(200);
    let alert = format!("/alerts/{}", alerts.text_at("/data/0/id"));
    (format!("/alert-rules/{rule}"), alert)
}

#[tokio::test]
async fn another_condition_ends_the_open_alert_and_judging_begins_anew() {
    let app = App::start().await;
    let user = app.user().await;
    for patch in [
        json!({"threshold": 50}),
        json!({"comparator": "gte"}),
        json!({"metric": "u"}),
    ] {
        let device = user.device().await;
        let (rule, alert) = firing(&user, &device).await;
        user.patch(&rule, &patch).await.expect(200);
        let ended = user.get(&alert).await.expect(200);
        assert_eq!(ended.body["status"], "resolved");
        assert_eq!(ended.body["resolved_reason"], "rule_changed");
        assert!(ended.time_at("/resolved_at") >= ended.time_at("/triggered_at"));
        assert_eq!(ended.body["threshold"], 100);
        assert_eq!(ended.body["comparator"], "gt");
        assert_eq!(ended.body["rule_version"], 1);
    }
    let device = user.device().await;
    let (rule, _) = firing(&user, &device).await;
    user.patch(&rule, &json!({"threshold": 50}))
        .await
        .expect(200);
    // The new condition judges what is measured from now on, and not what arrives late.
    for at in [ago(90), ago(1)] {
        device.ingest_text(&reading_at(at, 51)).await.expect(201);
    }
    let path = format!("/alerts?device_id={}&status=firing", device.id);
    let open = user.get(&path).await.expect(200);
    assert_eq!(open.data().len(), 1);
    assert_eq!(open.body["data"][0]["threshold"], 50);
    assert!(open.time_at("/data/0/triggered_at") > ago(10));
    assert_eq!(open.body["data"][0]["rule_version"], 2);
}

#[tokio::test]
async fn another_name_or_severity_leaves_the_open_alert_alone() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let (rule, alert) = firing(&user, &device).await;
    let before = user.get(&alert).await.expect(200).body;
    user.patch(&rule, &json!({"name": "Hot", "severity": "critical"}))
        .await
        .expect(200);
    assert_eq!(user.get(&alert).await.expect(200).body, before);
}

#[tokio::test]
async fn a_disabled_rule_ends_its_alert_and_judges_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let (rule, alert) = firing(&user, &device).await;
    user.patch(&rule, &json!({"enabled": false}))
        .await
        .expect(200);
    let ended = user.get(&alert).await.expect(200);
    assert_eq!(ended.body["resolved_reason"], "rule_disabled");
    device
        .ingest_text(&reading_at(ago(50), 101))
        .await
        .expect(201);
    let open = user.get("/alerts?status=firing").await.expect(200);
    assert!(open.data().is_empty());
    user.patch(&rule, &json!({"enabled": true}))
        .await
        .expect(200);
    device
        .ingest_text(&reading_at(ago(40), 101))
        .await
        .expect(201);
    let open = user.get("/alerts?status=firing").await.expect(200);
    assert_eq!(open.data().len(), 1);
}

#[tokio::test]
async fn a_deleted_rule_is_gone_and_its_alerts_stay() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let (rule, alert) = firing(&user, &device).await;
    user.delete(&rule).await.expect(204);
    user.delete(&rule).await.problem(404, "not_found");
    user.get(&rule).await.problem(404, "not_found");
    user.patch(&rule, &json!({"enabled": true}))
        .await
        .problem(404, "not_found");
    let none = user.get(&device.path("/alert-rules")).await.expect(200);
    assert!(none.data().is_empty());
    let ended = user.get(&alert).await.expect(200);
    assert_eq!(ended.body["resolved_reason"], "rule_deleted");
    device
        .ingest_text(&reading_at(ago(50), 101))
        .await
        .expect(201);
    assert_eq!(user.get("/alerts").await.expect(200).data().len(), 1);
}
