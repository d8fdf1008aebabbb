//! `/alerts`: when they fire, when they resolve, and what people do with them.

mod again;
mod fleet;
mod hand;
mod late;
mod list;
mod order;
mod oscillation;
mod parallel;
mod remembered;
mod silence;
mod timeline;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{App, Device, User, ago, batch, reading, reading_at};

/// A user with a device and the rule `t gt 100`.
async fn armed(app: &App) -> (User, Device, String) {
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    (user, device, rule)
}

/// All alerts, oldest triggered first.
async fn alerts(user: &User) -> Vec<Value> {
    let mut alerts = user.all("/alerts").await;
    alerts.reverse();
    alerts
}

fn time_in(alert: &Value, member: &str) -> DateTime<Utc> {
    alert[member].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_alert_fires_with_everything_that_it_is_about() {
    let app = App::start().await;
    let (user, device, rule) = armed(&app).await;
    device
        .ingest_text(&reading_at(ago(60), 100))
        .await
        .expect(201);
    assert!(alerts(&user).await.is_empty());
    device
        .ingest_text(&reading_at(ago(50), "100.50"))
        .await
        .expect(201);
    let open = user.get("/alerts").await.expect(200);
    let firing = &open.data()[0];
    assert_eq!(time_in(firing, "triggered_at"), ago(50));
    for (member, value) in [
        ("rule_id", json!(rule)),
        ("device_id", json!(device.id)),
        ("status", json!("firing")),
        ("threshold", json!(100)),
        ("comparator", json!("gt")),
        ("metric", json!("t")),
        ("severity", json!("warning")),
        ("rule_version", json!(1)),
        ("resolved_at", Value::Null),
        ("resolved_reason", Value::Null),
        ("acknowledged_at", Value::Null),
        ("acknowledged_by", Value::Null),
        ("note", Value::Null),
    ] {
        assert_eq!(firing[member], value, "{member}");
    }
    for member in [r#""value":100.50,"#, r#""peak_value":100.50,"#] {
        assert!(open.text.contains(member), "{}", open.text);
    }
    let path = format!("/alerts/{}", open.text_at("/data/0/id"));
    assert_eq!(&user.get(&path).await.expect(200).body, firing);
}

#[tokio::test]
async fn an_alert_remembers_the_worst_and_recovers() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    let post = async |seconds, value| {
        let body = reading_at(ago(seconds), value);
        device.ingest_text(&body).await.expect(201);
        let all = alerts(&user).await;
        assert_eq!(all.len(), 1);
        all[0].clone()
    };
    post(60, 101).await;
    post(50, 107).await;
    let worse = post(40, 103).await;
    assert_eq!(
        (&worse["value"], &worse["peak_value"]),
        (&json!(101), &json!(107))
    );
    assert_eq!(worse["status"], "firing");
    let over = post(30, 100).await;
    assert_eq!(over["id"], worse["id"]);
    assert_eq!(
        (&over["status"], &over["resolved_reason"]),
        (&json!("resolved"), &json!("recovered"))
    );
    assert_eq!(time_in(&over, "resolved_at"), ago(30));
    assert_eq!(over["peak_value"], 107);
    assert_eq!(post(20, 99).await, over);
}

#[tokio::test]
async fn each_comparator_draws_its_line_at_the_threshold() {
    let app = App::start().await;
    let user = app.user().await;
    for (comparator, breaching) in [
        ("gt", vec!["100.01"]),
        ("gte", vec!["100.00", "100.01"]),
        ("lt", vec!["99.99"]),
        ("lte", vec!["99.99", "100.00"]),
    ] {
        for value in ["99.99", "100.00", "100.01"] {
            let device = user.device().await;
            user.rule(&device, comparator, 100).await;
            device
                .ingest_text(&reading_at(ago(9), value))
                .await
                .expect(201);
            let path = format!("/alerts?device_id={}", device.id);
            let fired = !user.get(&path).await.expect(200).data().is_empty();
            assert_eq!(fired, breaching.contains(&value), "{comparator} {value}");
        }
    }
}

#[tokio::test]
async fn the_episodes_of_a_batch_follow_the_time_of_measurement() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    let start = ago(600);
    let values = [99, 101, 105, 99, 98, 120, 99, 130, 110];
    let mut all: Vec<_> = (0..)
        .map(|n| start + TimeDelta::minutes(n))
        .zip(values)
        .collect();
    // In the order of arrival they would make other episodes.
    all.rotate_left(4);
    all.swap(0, 7);
    let body = batch(all.iter().map(|(at, value)| reading_at(*at, value)));
    device.ingest_text(&body).await.expect(200);
    let found: Vec<_> = alerts(&user)
        .await
        .iter()
        .map(|it| {
            let minute = |member: &str| (time_in(it, member) - start).num_minutes();
            let resolved = it["resolved_at"].is_string().then(|| minute("resolved_at"));
            (
                minute("triggered_at"),
                resolved,
                it["value"].as_i64().unwrap(),
                it["peak_value"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, Some(3), 101, 105),
            (5, Some(6), 120, 120),
            (7, None, 130, 130)
        ]
    );
}

#[tokio::test]
async fn a_reading_that_arrives_too_late_is_stored_and_changes_no_alert() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    device
        .ingest_text(&reading_at(ago(100), 101))
        .await
        .expect(201);
    let before = alerts(&user).await;
    for (seconds, value) in [(701, 99), (750, 500)] {
        let body = reading_at(ago(seconds), value);
        let receipt = device.ingest_text(&body).await.expect(201);
        assert_eq!(receipt.body["late"], true, "{}", receipt.text);
    }
    assert_eq!(alerts(&user).await, before);
    device
        .ingest_text(&reading_at(ago(50), 99))
        .await
        .expect(201);
    let both =
        batch([(651, 500), (650, 99)].map(|(seconds, value)| reading_at(ago(seconds), value)));
    let receipt = device
        .post_text("/readings?receipt=full", &both)
        .await
        .expect(200);
    assert_eq!(
        (&receipt.body["accepted"], &receipt.body["late"]),
        (&json!(2), &json!(1))
    );
    let late: Vec<_> = receipt.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["late"])
        .collect();
    assert_eq!(late, [true, false]);
    let after = alerts(&user).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0]["resolved_reason"], "recovered");
    assert_eq!(after[0]["peak_value"], 101);
    let stored = user.get(&device.path("/readings")).await.expect(200);
    assert_eq!(stored.data().len(), 6);
}

#[tokio::test]
async fn what_is_not_stored_anew_fires_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(100);
    device.ingest_text(&reading_at(at, 101)).await.expect(201);
    user.rule(&device, "gt", 100).await;
    device.ingest_text(&reading_at(at, 101)).await.expect(200);
    device
        .ingest_text(&reading_at(at, 102))
        .await
        .problem(409, "reading_conflict");
    device
        .ingest_text(&reading("u", ago(50), 101))
        .await
        .expect(201);
    let other = user.device().await;
    other
        .ingest_text(&reading_at(ago(50), 101))
        .await
        .expect(201);
    assert!(alerts(&user).await.is_empty());
}

#[tokio::test]
async fn deleting_a_device_ends_its_alert_for_that_reason() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    device
        .ingest_text(&reading_at(ago(60), 101))
        .await
        .expect(201);
    user.delete(&device.path("")).await.expect(204);
    // A purge may have been here already.
    let reasons = app
        .sql()
        .await
        .column("select status || ' ' || resolved_reason from alerts")
        .await;
    assert!(
        reasons.iter().all(|it| it == "resolved device_deleted"),
        "{reasons:?}"
    );
}
