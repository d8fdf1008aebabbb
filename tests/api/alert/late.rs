//! Readings that arrive late, after the rule has become another one.

use serde_json::json;

use crate::support::{App, ago, reading_at};

#[tokio::test]
async fn an_edited_rule_does_not_judge_the_past() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = format!("/alert-rules/{}", user.rule(&device, "gt", 100).await);
    device
        .ingest_text(&reading_at(ago(60), 50))
        .await
        .expect(201);
    let edits = [
        json!({"threshold": 101}),
        json!({"enabled": false}),
        json!({"enabled": true}),
    ];
    for (n, edit) in (0..).zip(edits) {
        user.patch(&rule, &edit).await.expect(200);
        device
            .ingest_text(&reading_at(ago(120 - n), 500))
            .await
            .expect(201);
        let alerts = user.get("/alerts").await.expect(200);
        assert!(alerts.data().is_empty(), "after {edit}: {}", alerts.text);
    }
    device
        .ingest_text(&reading_at(ago(30), 500))
        .await
        .expect(201);
    assert_eq!(user.get("/alerts").await.expect(200).data().len(), 1);
}

#[tokio::test]
async fn a_new_rule_does_not_judge_the_past() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device
        .ingest_text(&reading_at(ago(60), 50))
        .await
        .expect(201);
    user.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(120), 500))
        .await
        .expect(201);
    assert!(user.get("/alerts").await.expect(200).data().is_empty());
    device
        .ingest_text(&reading_at(ago(59), 500))
        .await
        .expect(201);
    assert_eq!(user.get("/alerts").await.expect(200).data().len(), 1);
}
