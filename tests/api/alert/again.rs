//! Readings that come between others, and what is judged again.

use serde_json::{Value, json};

use super::{alerts, time_in};
use crate::support::{App, ago, reading, reading_at};

/// What a rule came to on one metric stays when it watches another one, whatever arrives out of order there.
#[tokio::test]
async fn alerts_of_another_metric_are_left_alone() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    for (seconds, value) in [(200, 150), (190, 50), (180, 160), (170, 50)] {
        device
            .ingest_text(&reading_at(ago(seconds), value))
            .await
            .expect(201);
    }
    let before = alerts(&user).await;
    assert_eq!(before.len(), 2);
    let rule = format!("/alert-rules/{rule}");
    user.patch(&rule, &json!({"metric": "u"})).await.expect(200);
    for (seconds, value) in [(150, 1), (300, 200), (160, 1)] {
        let body = reading("u", ago(seconds), value);
        device.ingest_text(&body).await.expect(201);
    }
    let after = alerts(&user).await;
    let old: Vec<Value> = after
        .iter()
        .filter(|it| it["metric"] == "t")
        .cloned()
        .collect();
    assert_eq!(old, before);
    assert_eq!(after.len(), 3);
}

/// However often an alert is judged again, its timeline tells each step once, as it is now.
#[tokio::test]
async fn a_timeline_is_that_of_the_readings_in_order() {
    let app = App::start().await;
    let user = app.user().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100, "for": "60s"});
    for late in [(65, 120), (45, 99)] {
        let device = user.device().await;
        user.post(&device.path("/alert-rules"), &rule)
            .await
            .expect(201);
        let readings = [
            (0, 101),
            (30, 102),
            (60, 103),
            (70, 104),
            (100, 105),
            (130, 106),
        ];
        for (second, value) in readings.into_iter().chain([late]) {
            let body = reading_at(ago(300 - second), value);
            device.ingest_text(&body).await.expect(201);
        }
        let all = user.all(&format!("/alerts?device_id={}", device.id)).await;
        assert_eq!(all.len(), 1);
        let path = format!("/alerts/{}/timeline", all[0]["id"].as_str().unwrap());
        let steps: Vec<_> = user
            .all(&path)
            .await
            .iter()
            .map(|it| (time_in(it, "at"), it["to"].clone()))
            .collect();
        let begin = if late.1 > 100 { (300, 240) } else { (240, 170) };
        let expected = [
            (ago(begin.0), json!("pending")),
            (ago(begin.1), json!("firing")),
        ];
        assert_eq!(steps, expected, "late {late:?}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_late() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(10), 1))
        .await
        .expect(201);
    for dry in ["?dry_run=true", ""] {
        let path = format!("/readings{dry}");
        for (seconds, late) in [(700, true), (600, false)] {
            let receipt = device
                .post_text(&path, &reading_at(ago(seconds), 1))
                .await
                .expect(201);
            assert_eq!(receipt.body["late"], late, "{dry} {seconds}");
        }
    }
}
