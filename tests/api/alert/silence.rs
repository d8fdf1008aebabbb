//! What rules make of silence, which is neither health nor a breach.

use serde_json::{Value, json};
use std::time::Duration;

use super::{alerts, time_in};
use crate::support::{App, Device, User, ago, eventually, now, reading_at};

const SOON: Duration = Duration::from_secs(15);

async fn armed(user: &User, no_data: Value) -> Device {
    let device = user.device().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100, "no_data": no_data});
    user.post(&device.path("/alert-rules"), &rule)
        .await
        .expect(201);
    device
}

async fn own(user: &User, device: &Device) -> Vec<Value> {
    let all = alerts(user).await;
    all.into_iter()
        .filter(|it| it["device_id"] == device.id)
        .collect()
}

#[tokio::test]
async fn a_firing_alert_goes_on_through_silence_or_ends_as_the_rule_says() {
    let app = App::start().await;
    let user = app.user().await;
    let keeps = armed(&user, json!({"after": "1s", "action": "keep"})).await;
    let plain = armed(&user, Value::Null).await;
    let resolves = armed(&user, json!({"after": "1s", "action": "resolve"})).await;
    for device in [&keeps, &plain, &resolves] {
        device
            .ingest_text(&reading_at(ago(60), 101))
            .await
            .expect(201);
    }
    let ended = async || own(&user, &resolves).await[0]["status"] == "resolved";
    eventually("the alert ends", SOON, ended).await;
    let alert = &own(&user, &resolves).await[0];
    assert_eq!(alert["resolved_reason"], "no_data");
    assert!(time_in(alert, "resolved_at") > ago(0));
    for device in [&keeps, &plain] {
        assert_eq!(own(&user, device).await[0]["status"], "firing");
    }
    // It fires again at a later breach, and an older one is of the time before.
    resolves
        .ingest_text(&reading_at(ago(61), 150))
        .await
        .expect(201);
    assert_eq!(own(&user, &resolves).await.len(), 1);
    resolves
        .ingest_text(&reading_at(ago(59), 102))
        .await
        .expect(201);
    assert_eq!(own(&user, &resolves).await.len(), 2);
}

#[tokio::test]
async fn silence_alerts_and_ends_when_data_comes_again() {
    let app = App::start().await;
    let user = app.user().await;
    // One that has never been heard of, too.
    let mute = armed(&user, json!({"after": "1s", "action": "alert"})).await;
    let device = armed(&user, json!({"after": "1s", "action": "alert"})).await;
    device
        .ingest_text(&reading_at(ago(60), 50))
        .await
        .expect(201);
    for device in [&mute, &device] {
        eventually("silence is told", SOON, async || {
            own(&user, device).await.len() == 1
        })
        .await;
        let alert = &own(&user, device).await[0];
        assert_eq!(
            (&alert["kind"], &alert["status"]),
            (&json!("no_data"), &json!("firing"))
        );
        assert_eq!(
            (&alert["value"], &alert["peak_value"], &alert["peak_at"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert!(time_in(alert, "triggered_at") <= now());
    }
    // Only one, however long it lasts.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(alerts(&user).await.len(), 2);
    device
        .ingest_text(&reading_at(ago(30), 101))
        .await
        .expect(201);
    let all = own(&user, &device).await;
    let kinds: Vec<_> = all.iter().map(|it| (&it["kind"], &it["status"])).collect();
    assert!(
        kinds.contains(&(&json!("no_data"), &json!("resolved"))),
        "{all:?}"
    );
    assert!(
        kinds.contains(&(&json!("threshold"), &json!("firing"))),
        "{all:?}"
    );
    let silence = all.iter().find(|it| it["kind"] == "no_data").unwrap();
    let path = format!("/alerts/{}/timeline", silence["id"].as_str().unwrap());
    let timeline = user.all(&path).await;
    let causes: Vec<_> = timeline
        .iter()
        .map(|it| (&it["cause"], &it["to"]))
        .collect();
    assert_eq!(
        causes,
        [
            (&json!("no_data"), &json!("firing")),
            (&json!("reading"), &json!("ok"))
        ]
    );
}

#[tokio::test]
async fn a_rule_may_change_its_mind_about_silence() {
    let app = App::start().await;
    let user = app.user().await;
    let device = armed(&user, Value::Null).await;
    device
        .ingest_text(&reading_at(ago(60), 101))
        .await
        .expect(201);
    let rules = user.get(&device.path("/alert-rules")).await.expect(200);
    let rule = format!("/alert-rules/{}", rules.text_at("/data/0/id"));
    user.patch(&rule, &json!({"no_data": {"after": "1s"}}))
        .await
        .problem(422, "validation_failed");
    user.patch(
        &rule,
        &json!({"no_data": {"after": "1s", "action": "resolve"}}),
    )
    .await
    .expect(200);
    eventually("the alert ends", SOON, async || {
        own(&user, &device).await[0]["status"] == "resolved"
    })
    .await;
    user.patch(&rule, &json!({"no_data": {"action": "alert"}}))
        .await
        .expect(200);
    eventually("silence is told", SOON, async || {
        own(&user, &device).await.len() == 2
    })
    .await;
    user.patch(&rule, &json!({"no_data": null}))
        .await
        .expect(200);
    let all = own(&user, &device).await;
    let silence = all.iter().find(|it| it["kind"] == "no_data").unwrap();
    assert_eq!(silence["resolved_reason"], "rule_changed");
}

#[tokio::test]
async fn silence_is_found_after_both_instances_were_away() {
    let mut app = App::start().await;
    let user = app.user().await;
    let device = armed(&user, json!({"after": "2s", "action": "alert"})).await;
    device
        .ingest_text(&reading_at(ago(60), 50))
        .await
        .expect(201);
    for server in &mut app.servers {
        server.signal(nix::sys::signal::Signal::SIGKILL);
        server.ended().await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let sql = app.sql().await;
    assert_eq!(sql.one("select count(*) from alerts").await, "0");
    let settings = App::settings(&app.database);
    let _again = crate::support::Server::start(&settings).await;
    let told = async || {
        sql.one("select count(*) from alerts where kind = 'no_data'")
            .await
            == "1"
    };
    eventually("silence is told", SOON, told).await;
}

/// Silence in between does not change what readings come to, unless it ended an alert.
#[tokio::test]
async fn what_arrives_after_silence_is_judged_as_without_it() {
    let app = App::start().await;
    let user = app.user().await;
    for action in ["alert", "resolve"] {
        let device = armed(&user, json!({"after": "1s", "action": action})).await;
        device
            .ingest_text(&reading_at(ago(10), 50))
            .await
            .expect(201);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        device
            .ingest_text(&reading_at(ago(100), 500))
            .await
            .expect(201);
        let all = own(&user, &device).await;
        let threshold = all.iter().find(|it| it["kind"] == "threshold").unwrap();
        assert_eq!(time_in(threshold, "triggered_at"), ago(100));
        assert_eq!(time_in(threshold, "resolved_at"), ago(10));
    }
}

/// Also one that was provisioned after the rule, and has never been heard of.
#[tokio::test]
async fn a_device_that_joins_a_fleet_is_waited_for() {
    let app = App::start().await;
    let user = app.user().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100,
                      "selector": {"tags": {"site": "north"}}, "no_data": {"after": "1s", "action": "alert"}});
    user.post("/alert-rules", &rule).await.expect(201);
    let north = json!({"name": "Boiler", "tags": {"site": "north"}});
    let new = Device::provisioned(&user, &user.post("/devices", &north).await.expect(201));
    let old = user.device().await;
    user.patch(&old.path(""), &json!({"tags": {"site": "north"}}))
        .await
        .expect(200);
    for device in [&new, &old] {
        let told = async || own(&user, device).await.len() == 1;
        eventually("silence is told", SOON, told).await;
    }
}
