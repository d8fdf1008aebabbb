//! Merge patches (RFC 7396): absent leaves, null is what the thing is made with, and what has no such is refused.

use serde_json::{Value, json};

use crate::support::{App, Client, User};

const MERGE_PATCH: &str = "application/merge-patch+json";

async fn patch(client: &Client, path: &str, body: &Value) -> crate::support::Answer {
    let body = Some((MERGE_PATCH, body.to_string().into_bytes()));
    client.ask(reqwest::Method::PATCH, path, body).await
}

/// Sets each member to another value than it was made with, then to null; the others stay as they are.
async fn goes_and_comes_back(user: &User, path: &str, others: &Value) {
    let sure = user.with("if-match", "*");
    let made = user.get(path).await.expect(200).body;
    for (member, value) in others.as_object().unwrap() {
        let before = user.get(path).await.expect(200).body;
        let other = patch(user, path, &json!({member: value})).await.expect(200);
        assert_eq!(&other.body[member], value, "{member}");
        let back = patch(&sure, path, &json!({member: null})).await.expect(200);
        for (name, now) in back.body.as_object().unwrap() {
            if !["version", "updated_at"].contains(&name.as_str()) {
                assert_eq!(now, &before[name], "{name} after {member}");
            }
        }
    }
    let now = user.get(path).await.expect(200).body;
    for member in others.as_object().unwrap().keys() {
        assert_eq!(now[member], made[member], "{member}");
    }
}

async fn is_refused(user: &User, path: &str, members: &[(&str, &str)]) {
    let before = user.get(path).await.expect(200).body;
    let sure = user.with("if-match", "*");
    for (body, pointer) in members {
        let body: Value = serde_json::from_str(body).unwrap();
        let refused = patch(&sure, path, &body).await;
        let refused = refused.problem(422, "validation_failed");
        // A selector is wrong only with what is there already.
        let together = body["selector"].is_object();
        let code = if together {
            "invalid_combination"
        } else {
            "invalid_value"
        };
        refused.blames(pointer, code);
    }
    assert_eq!(user.get(path).await.expect(200).body, before);
}

#[tokio::test]
async fn every_member_of_a_device_follows_the_rfc() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let path = device.path("");
    let others = json!({
        "offline_after": "1h",
        "enabled": false,
        "metadata": {"a": {"b": [1, null]}},
        "tags": {"site": "north"},
    });
    goes_and_comes_back(&user, &path, &others).await;
    is_refused(&user, &path, &[(r#"{"name": null}"#, "/name")]).await;
    // Deep down, null takes a member away, and a list is replaced as a whole.
    let set =
        json!({"metadata": {"a": {"b": 1, "c": [1, 2]}, "d": 2}, "tags": {"x": "1", "y": "2"}});
    patch(&user, &path, &set).await.expect(200);
    let change = json!({"metadata": {"a": {"b": null, "c": [3]}, "e": {"f": null}}, "tags": {"x": null, "z": "3"}});
    let merged = patch(&user, &path, &change).await.expect(200).body;
    assert_eq!(
        merged["metadata"],
        json!({"a": {"c": [3]}, "d": 2, "e": {}})
    );
    assert_eq!(merged["tags"], json!({"y": "2", "z": "3"}));
}

#[tokio::test]
async fn every_member_of_a_rule_follows_the_rfc() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    let path = format!("/alert-rules/{rule}");
    let others = json!({
        "name": "Hot",
        "clear_threshold": 95,
        "for": "10m",
        "keep_firing_for": "5m",
        "no_data": {"after": "5m", "action": "alert"},
        "severity": "critical",
        "enabled": false,
    });
    goes_and_comes_back(&user, &path, &others).await;
    let needed = [
        (r#"{"metric": null}"#, "/metric"),
        (r#"{"comparator": null}"#, "/comparator"),
        (r#"{"threshold": null}"#, "/threshold"),
        (r#"{"no_data": {"after": null}}"#, "/no_data/after"),
        (r#"{"no_data": {"action": null}}"#, "/no_data/action"),
        (r#"{"selector": null}"#, "/selector"),
    ];
    is_refused(&user, &path, &needed).await;
    let no_data = json!({"no_data": {"after": "5m", "action": "alert"}});
    patch(&user, &path, &no_data).await.expect(200);
    let merged = patch(&user, &path, &json!({"no_data": {"after": "1h"}})).await;
    let expected = json!({"after": "1h", "action": "alert"});
    assert_eq!(merged.expect(200).body["no_data"], expected);
    is_refused(&user, &path, &needed).await;
}

#[tokio::test]
async fn the_selector_of_a_fleet_is_merged_too() {
    let app = App::start().await;
    let user = app.user().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1, "selector": {"tags": {"a": "1", "b": "2"}}});
    let made = user.post("/alert-rules", &rule).await.expect(201);
    let path = format!("/alert-rules/{}", made.text_at("/id"));
    for (change, tags) in [
        (json!({"selector": {}}), json!({"a": "1", "b": "2"})),
        (
            json!({"selector": {"tags": {}}}),
            json!({"a": "1", "b": "2"}),
        ),
        (
            json!({"selector": {"tags": {"a": null, "c": "3"}}}),
            json!({"b": "2", "c": "3"}),
        ),
    ] {
        let merged = patch(&user, &path, &change).await.expect(200);
        assert_eq!(merged.body["selector"]["tags"], tags, "{change}");
    }
    let nothing = [
        (r#"{"selector": null}"#, "/selector"),
        (r#"{"selector": {"tags": null}}"#, "/selector"),
        (
            r#"{"selector": {"tags": {"b": null, "c": null}}}"#,
            "/selector",
        ),
    ];
    is_refused(&user, &path, &nothing).await;
}
