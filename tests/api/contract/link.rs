//! Every list says where its next page is (RFC 8288), and that is where it is.

use serde_json::json;

use super::of_method;
use crate::support::{App, Device, Document, User, ago, batch, reading_at};

/// What each list has more than one of: a device with rules, readings, a history, and an alert that is over.
async fn two_of_everything(user: &User) -> (Device, String) {
    let device = user.device_named("Boiler one").await;
    user.device_named("Boiler two").await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100});
    for _ in 0..2 {
        user.post(&device.path("/alert-rules"), &rule)
            .await
            .expect(201);
    }
    let all = batch([(9, 1), (8, 101), (7, 1), (6, 101)].map(|(n, it)| reading_at(ago(n), it)));
    device.ingest_text(&all).await.expect(200);
    // Silence, so that its status has a history.
    user.patch(&device.path(""), &json!({"offline_after": "1s"}))
        .await
        .expect(200);
    let history = device.path("/status-history");
    crate::support::eventually("silence", std::time::Duration::from_secs(30), async || {
        user.get(&history).await.expect(200).data().len() > 1
    })
    .await;
    let alert = user
        .get("/alerts?status=resolved")
        .await
        .expect(200)
        .text_at("/data/0/id")
        .to_owned();
    (device, alert)
}

#[tokio::test]
async fn every_list_of_pages_leads_to_its_next_one() {
    let app = App::start().await;
    let user = app.user().await;
    let (device, alert) = two_of_everything(&user).await;
    let document = Document::fetch(&app.anonymous()).await;
    let root = app.anonymous().at_root().with_token(&user.access_token);
    let mut seen = Vec::new();
    for operation in of_method(&document, "get") {
        let parameters = operation.body["parameters"]
            .as_array()
            .into_iter()
            .flatten();
        if !parameters.into_iter().any(|it| it["name"] == "cursor") {
            continue;
        }
        let id = if operation.path.contains("/alerts/") {
            &alert
        } else {
            &device.id
        };
        let path = operation.path.replace("{id}", id);
        let whole = root.get(&path).await.expect(200);
        assert_eq!(whole.header("link"), "", "{path}");
        let first = root.get(&format!("{path}?limit=1")).await.expect(200);
        if first.body["next_cursor"].is_null() {
            // Of these there is only one here.
            continue;
        }
        let link = first.header("link");
        let next = link
            .strip_prefix('<')
            .and_then(|it| it.strip_suffix(">; rel=\"next\""));
        let next = next.unwrap_or_else(|| panic!("{path}: {link}"));
        assert!(next.contains("limit=1&cursor="), "{next}");
        let second = root.get(next).await.expect(200);
        assert_eq!(second.data()[0], whole.data()[1], "{path}");
        seen.push(operation.id.to_owned());
    }
    for id in [
        "alert_list",
        "alert_rule_list",
        "alert_rule_list_all",
        "alert_timeline",
        "device_list",
        "device_status_history",
        "reading_list",
    ] {
        assert!(seen.iter().any(|it| it == id), "{id} of {seen:?}");
    }
}
