//! Instances remember how far rules have come from group to group; what changes meanwhile is never missed.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{alerts, armed, time_in};
use crate::support::{App, Device, User, ago, batch, reading, reading_at};

/// Posts readings that change nothing on both instances in turn, so that both remember the rules of the device.
async fn warm(device: &Device, from: i64) {
    for n in 0..6 {
        let on = device.on_one(usize::try_from(n % 2).unwrap());
        let body = reading_at(ago(from - n), 50);
        on.ingest_text(&body).await.expect(201);
    }
}

async fn open(user: &User) -> Vec<Value> {
    user.all("/alerts?status=firing").await
}

#[tokio::test]
async fn a_rule_is_asked_by_the_first_reading_after_it_was_made() {
    let app = App::start().await;
    for instance in [0, 1] {
        let (user, device, _) = armed(&app).await;
        warm(&device, 600).await;
        user.rule(&device, "gt", 60).await;
        let body = reading_at(ago(500), 70);
        device.on_one(instance).ingest_text(&body).await.expect(201);
        assert_eq!(open(&user).await.len(), 1, "instance {instance}");
    }
}

#[tokio::test]
async fn a_changed_rule_is_what_the_next_reading_meets_on_either_instance() {
    let app = App::start().await;
    let (user, device, rule) = armed(&app).await;
    let path = format!("/alert-rules/{rule}");
    let start = ago(900);
    let mut second = 0;
    for round in 0..10 {
        // The threshold goes up and down, on one instance and the other; a value between tells which one holds.
        let threshold = if round % 2 == 0 { 10 } else { 100 };
        user.on(round % 2)
            .patch(&path, &json!({"threshold": threshold}))
            .await
            .expect(200);
        for instance in [1, 0, 0, 1] {
            second += 1;
            let body = reading_at(start + TimeDelta::seconds(second), 50);
            let on = device.on_one(instance);
            on.ingest_text(&body).await.expect(201);
            let fires = open(&user).await.len();
            assert_eq!(fires, usize::from(threshold == 10), "round {round}");
        }
    }
}

#[tokio::test]
async fn what_one_instance_found_is_where_the_other_goes_on() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    warm(&device, 600).await;
    let values = [50, 101, 102, 50, 50, 103, 50, 50, 50, 104];
    for (n, value) in (0..).zip(values) {
        let on = device.on_one(usize::try_from(n % 2).unwrap());
        let body = reading_at(ago(500 - n), value);
        on.ingest_text(&body).await.expect(201);
    }
    let times: Vec<_> = alerts(&user)
        .await
        .iter()
        .map(|it| (time_in(it, "triggered_at"), it["peak_value"].clone()))
        .collect();
    let expected = [(1, 102), (5, 103), (9, 104)];
    let expected = expected.map(|(n, peak)| (ago(500 - n), json!(peak)));
    assert_eq!(times, expected);
}

#[tokio::test]
async fn a_reading_between_others_is_judged_though_all_before_it_went_the_short_way() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    warm(&device, 600).await;
    warm(&device, 500).await;
    // Newer than all that the second instance stored itself last, older than what the first one did.
    device
        .on_one(0)
        .ingest_text(&reading_at(ago(300), 50))
        .await
        .expect(201);
    device
        .on_one(1)
        .ingest_text(&reading_at(ago(400), 150))
        .await
        .expect(201);
    let all = alerts(&user).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(time_in(&all[0], "triggered_at"), ago(400));
    assert_eq!(time_in(&all[0], "resolved_at"), ago(300));
}

#[tokio::test]
async fn an_alert_resolved_by_hand_fires_again_with_the_next_breach() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    for (n, instance) in [(0, 0), (1, 1), (2, 0), (3, 1)] {
        let body = reading_at(ago(600 - n), 150);
        device.on_one(instance).ingest_text(&body).await.expect(201);
    }
    for n in 0..6 {
        let open = open(&user).await;
        assert_eq!(open.len(), 1, "{n}");
        let path = format!("/alerts/{}/resolve", open[0]["id"].as_str().unwrap());
        user.on(n % 2).post_text(&path, "").await.expect(200);
        let later = TimeDelta::seconds(i64::try_from(n).unwrap() + 1);
        let body = reading_at(ago(0) + later, 150);
        device
            .on_one((n + 1) % 2)
            .ingest_text(&body)
            .await
            .expect(201);
    }
    assert_eq!(alerts(&user).await.len(), 7);
}

#[tokio::test]
async fn a_device_that_joins_a_fleet_is_watched_at_once() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = json!({"selector": {"tags": {"site": "north"}}, "metric": "t", "comparator": "gt", "threshold": 100});
    user.post("/alert-rules", &rule).await.expect(201);
    warm(&device, 600).await;
    let mut second = 0;
    for round in 0..6 {
        let site = if round % 2 == 0 { "north" } else { "south" };
        let tags = json!({"tags": {"site": site}});
        let path = device.path("");
        user.on(round % 2).patch(&path, &tags).await.expect(200);
        for instance in [1, 0, 1] {
            second += 1;
            let readings = [120, 130].map(|value| {
                second += 1;
                reading("t", ago(500) + TimeDelta::seconds(second), value)
            });
            let on = device.on_one(instance);
            on.ingest_text(&batch(readings)).await.expect(200);
            let fires = open(&user).await.len();
            assert_eq!(fires, usize::from(site == "north"), "round {round}");
        }
    }
}
