//! What belongs to another owner does not exist, byte for byte.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Answer, App, Client, JSON, ago, reading_at};

/// An operation on a thing: method, path and body.
type Operation = (Method, &'static str, &'static str);

const ON_A_DEVICE: [Operation; 10] = [
    (Method::GET, "/devices/{}", ""),
    (Method::PATCH, "/devices/{}", r#"{"name": "mine"}"#),
    (Method::DELETE, "/devices/{}", ""),
    (Method::GET, "/devices/{}/readings", ""),
    (Method::GET, "/devices/{}/metrics", ""),
    (Method::GET, "/devices/{}/latest", ""),
    (Method::GET, "/devices/{}/rejections", ""),
    (Method::GET, "/devices/{}/rollups?metric=t&interval=1h", ""),
    (Method::GET, "/devices/{}/alert-rules", ""),
    (
        Method::POST,
        "/devices/{}/alert-rules",
        r#"{"metric": "t", "comparator": "gt", "threshold": 1}"#,
    ),
];

const ON_A_RULE: [Operation; 3] = [
    (Method::GET, "/alert-rules/{}", ""),
    (Method::PATCH, "/alert-rules/{}", r#"{"enabled": false}"#),
    (Method::DELETE, "/alert-rules/{}", ""),
];

const ON_AN_ALERT: [Operation; 3] = [
    (Method::GET, "/alerts/{}", ""),
    (Method::POST, "/alerts/{}/acknowledge", "{}"),
    (Method::POST, "/alerts/{}/resolve", ""),
];

const ON_A_SESSION: [Operation; 1] = [(Method::DELETE, "/auth/sessions/{}", "")];

async fn ask(client: &Client, (method, path, body): &Operation, id: &str) -> Answer {
    let body = (!body.is_empty()).then(|| (JSON, body.as_bytes().to_vec()));
    client
        .ask(method.clone(), &path.replace("{}", id), body)
        .await
}

/// Everything that a client can see of a refusal, but for what names the request.
fn looks(refusal: Answer) -> (Vec<String>, Value) {
    let refusal = refusal.problem(404, "not_found");
    let mut headers: Vec<_> = refusal.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (headers, refusal.essence())
}

#[tokio::test]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let app = App::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let device = owner.device().await;
    let rule = owner.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(5), 101))
        .await
        .expect(201);
    let alerts = owner.get("/alerts").await.expect(200);
    let alert = alerts.text_at("/data/0/id");
    let session = owner.get("/auth/session").await.expect(200);
    let session = session.text_at("/session/id");

    for (operations, id) in [
        (&ON_A_DEVICE[..], device.id.as_str()),
        (&ON_A_RULE, &rule),
        (&ON_AN_ALERT, alert),
        (&ON_A_SESSION, session),
    ] {
        for operation in operations {
            let anothers = looks(ask(&stranger, operation, id).await);
            let unknown = Uuid::now_v7().to_string();
            for nothing in [unknown.as_str(), "no-uuid"] {
                let nothing = looks(ask(&stranger, operation, nothing).await);
                assert_eq!(anothers, nothing, "{operation:?}");
            }
        }
    }

    let mine = owner.get(&device.path("")).await.expect(200);
    assert_eq!(mine.body["name"], "Boiler");
    let rule = owner.get(&format!("/alert-rules/{rule}")).await;
    assert_eq!(rule.expect(200).body["enabled"], true);
    let alert = owner.get(&format!("/alerts/{alert}")).await.expect(200);
    assert_eq!(alert.body["status"], "firing");
    assert_eq!(alert.body["acknowledged_at"], Value::Null);
}

#[tokio::test]
async fn a_filter_by_anothers_device_or_rule_finds_nothing() {
    let app = App::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let device = owner.device().await;
    let rule = owner.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(5), 101))
        .await
        .expect(201);
    for query in [
        format!("device_id={}", device.id),
        format!("rule_id={rule}"),
    ] {
        let path = format!("/alerts?{query}");
        assert_eq!(owner.get(&path).await.expect(200).data().len(), 1);
        assert!(stranger.get(&path).await.expect(200).data().is_empty());
    }
}
