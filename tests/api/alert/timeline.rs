//! `/alerts/{id}/timeline`: everything that happened to an alert, and what caused it.

use serde_json::{Value, json};

use super::alerts;
use crate::support::{App, ago, reading_at};

fn entry(seconds: i64, from: &str, to: &str, value: i64, threshold: i64) -> Value {
    json!({"at": ago(seconds), "from": from, "to": to, "cause": "reading", "value": value, "threshold": threshold,
           "rule_version": 1})
}

#[tokio::test]
async fn a_timeline_tells_each_reading_that_moved_the_alert() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = json!({"metric": "t", "comparator": "gte", "threshold": 100, "clear_threshold": 95, "for": "10s",
                      "keep_firing_for": "20s"});
    user.post(&device.path("/alert-rules"), &rule)
        .await
        .expect(201);
    for (seconds, value) in [
        (100, 100),
        (95, 101),
        (90, 104),
        (80, 97),
        (70, 94),
        (60, 96),
        (50, 94),
        (30, 90),
    ] {
        device
            .ingest_text(&reading_at(ago(seconds), value))
            .await
            .expect(201);
    }
    let all = alerts(&user).await;
    let path = format!("/alerts/{}/timeline", all[0]["id"].as_str().unwrap());
    let timeline = user.all(&path).await;
    assert_eq!(
        timeline,
        [
            entry(100, "ok", "pending", 100, 100),
            entry(90, "pending", "firing", 104, 100),
            entry(70, "firing", "recovering", 94, 95),
            entry(60, "recovering", "firing", 96, 95),
            entry(50, "firing", "recovering", 94, 95),
            entry(30, "recovering", "ok", 90, 95),
        ]
    );
    assert_eq!(user.all(&format!("{path}?limit=1")).await, timeline);
    user.get(&format!("{path}?limit=0"))
        .await
        .problem(422, "validation_failed");
}

#[tokio::test]
async fn what_is_ended_otherwise_says_by_what() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    let rule = format!("/alert-rules/{rule}");
    let ends = ["manual", "rule_changed", "rule_disabled", "rule_deleted"];
    for (n, end) in (0..).zip(ends) {
        device
            .ingest_text(&reading_at(ago(100 - n), 101))
            .await
            .expect(201);
        let open = user.get("/alerts?status=firing").await.expect(200);
        let path = format!("/alerts/{}", open.text_at("/data/0/id"));
        match end {
            "manual" => user
                .post_text(&format!("{path}/resolve"), "")
                .await
                .expect(200),
            "rule_changed" => user
                .patch(&rule, &json!({"for": "1s", "threshold": 99}))
                .await
                .expect(200),
            "rule_disabled" => user
                .patch(&rule, &json!({"enabled": false}))
                .await
                .expect(200),
            _ => user.delete(&rule).await.expect(204),
        };
        if end != "rule_deleted" {
            user.patch(&rule, &json!({"for": null, "enabled": true}))
                .await
                .expect(200);
        }
        let timeline = user.all(&format!("{path}/timeline")).await;
        let last = timeline.last().unwrap();
        assert_eq!(
            (&last["cause"], &last["from"], &last["to"]),
            (&json!(end), &json!("firing"), &json!("ok"))
        );
        assert_eq!(last["value"], Value::Null);
        let alert = user.get(&path).await.expect(200);
        assert_eq!(alert.body["resolved_reason"], end);
        assert_eq!(alert.body["resolved_at"], last["at"]);
        assert_eq!(alert.body["rule_version"], last["rule_version"]);
    }
}

#[tokio::test]
async fn an_alert_cites_one_version_of_its_rule_all_along() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(100), 150))
        .await
        .expect(201);
    user.patch(&format!("/alert-rules/{rule}"), &json!({"name": "Hot"}))
        .await
        .expect(200);
    for (seconds, value) in [(105, 160), (90, 50)] {
        device
            .ingest_text(&reading_at(ago(seconds), value))
            .await
            .expect(201);
    }
    let all = alerts(&user).await;
    assert_eq!(all[0]["rule_version"], 1);
    let path = format!("/alerts/{}/timeline", all[0]["id"].as_str().unwrap());
    let timeline = user.all(&path).await;
    assert_eq!(timeline.len(), 2);
    assert!(
        timeline.iter().all(|it| it["rule_version"] == 1),
        "{timeline:?}"
    );
}
