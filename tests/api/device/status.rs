//! `/devices/{id}/status-history`: silence makes a device offline, and a reading makes it online.

use serde_json::json;
use std::time::Duration;

use crate::support::{App, Device, Server, User, ago, eventually, reading_at};

/// A device that may be silent for so long.
async fn patient(user: &User, offline_after: &str) -> Device {
    let new = json!({"name": "Boiler", "offline_after": offline_after});
    Device::provisioned(user, &user.post("/devices", &new).await.expect(201))
}

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_device_goes_offline_when_it_is_silent_and_online_when_it_posts() {
    let app = App::start().await;
    let user = app.user().await;
    let device = patient(&user, "2s").await;
    let history = device.path("/status-history");
    assert!(user.get(&history).await.expect(200).data().is_empty());
    let is =
        async |status: &str| user.get(&device.path("")).await.expect(200).body["status"] == status;
    for round in 0..2 {
        device
            .ingest_text(&reading_at(ago(60 - round), 1))
            .await
            .expect(201);
        assert!(is("online").await);
        eventually("it is offline", SOON, async || is("offline").await).await;
    }
    let changes = user.all(&history).await;
    let words: Vec<_> = changes
        .iter()
        .map(|it| it["status"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["offline", "online", "offline", "online"]);
    let at = |place: usize| {
        changes[place]["at"]
            .as_str()
            .unwrap()
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    // When its patience ended, not when it was found out.
    for place in [0, 2] {
        assert_eq!((at(place) - at(place + 1)).num_milliseconds(), 2_000);
    }
    assert_eq!(user.all(&format!("{history}?limit=1")).await, changes);
}

#[tokio::test]
async fn who_posts_all_the_while_stays_online() {
    let app = App::start().await;
    let user = app.user().await;
    let device = patient(&user, "2s").await;
    // With and without a rule, which are two ways through ingest.
    for second in 0..10 {
        if second == 5 {
            user.rule(&device, "gt", 100).await;
        }
        device
            .ingest_text(&reading_at(ago(60 - second), 1))
            .await
            .expect(201);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let changes = user.all(&device.path("/status-history")).await;
    assert_eq!(changes.len(), 1, "{changes:?}");
}

#[tokio::test]
async fn a_change_of_patience_holds_at_once_and_a_restart_forgets_nothing() {
    let mut app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device
        .ingest_text(&reading_at(ago(60), 1))
        .await
        .expect(201);
    user.patch(&device.path(""), &json!({"offline_after": "2s"}))
        .await
        .expect(200);
    for server in &mut app.servers {
        server.signal(nix::sys::signal::Signal::SIGKILL);
        server.ended().await;
    }
    let _again = Server::start(&App::settings(&app.database)).await;
    let sql = app.sql().await;
    let is_offline = async || sql.one("select status from devices").await == "offline";
    eventually("it is offline", SOON, is_offline).await;
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_no_device_online_for_ever() {
    let app = App::start().await;
    let user = app.user().await;
    let device = patient(&user, "1s").await;
    device
        .ingest_text(&reading_at(ago(60), 1))
        .await
        .expect(201);
    let sql = app.sql().await;
    sql.run("update devices set last_seen_at = now() + interval '1 day'")
        .await
        .unwrap();
    let is_offline = async || sql.one("select status from devices").await == "offline";
    eventually("it is offline", SOON, is_offline).await;
}

#[tokio::test]
async fn a_device_with_more_patience_is_online_again() {
    let app = App::start().await;
    let user = app.user().await;
    let device = patient(&user, "1s").await;
    device
        .ingest_text(&reading_at(ago(60), 1))
        .await
        .expect(201);
    let status = async || user.get(&device.path("")).await.expect(200).body["status"].clone();
    eventually("it is offline", SOON, async || status().await == "offline").await;
    let patched = user
        .patch(&device.path(""), &json!({"offline_after": "1h"}))
        .await
        .expect(200);
    assert_eq!(patched.body["status"], "online");
    assert_eq!(user.all(&device.path("/status-history")).await.len(), 3);
}
