//! Rules that watch all devices with some tags.

use serde_json::{Value, json};

use super::alerts;
use crate::support::{App, Device, User, ago, reading_at};

async fn tagged(user: &User, tags: Value) -> Device {
    let answer = user
        .post("/devices", &json!({"name": "Boiler", "tags": tags}))
        .await;
    Device::provisioned(user, &answer.expect(201))
}

async fn fleet_rule(user: &User, tags: Value) -> String {
    let rule =
        json!({"metric": "t", "comparator": "gt", "threshold": 100, "selector": {"tags": tags}});
    let made = user.post("/alert-rules", &rule).await.expect(201);
    assert_eq!(made.body["device_id"], Value::Null);
    assert_eq!(made.body["selector"]["tags"], tags);
    format!("/alert-rules/{}", made.text_at("/id"))
}

async fn post(device: &Device, seconds: i64, value: i64) {
    device
        .ingest_text(&reading_at(ago(seconds), value))
        .await
        .expect(201);
}

async fn firing(user: &User) -> Vec<String> {
    let all = user.all("/alerts?status=firing").await;
    let mut devices: Vec<String> = all
        .iter()
        .map(|it| it["device_id"].as_str().unwrap().to_owned())
        .collect();
    devices.sort();
    devices
}

#[tokio::test]
async fn a_fleet_has_one_open_alert_for_each_device() {
    let app = App::start().await;
    let user = app.user().await;
    let north = json!({"site": "north"});
    let one = tagged(&user, north.clone()).await;
    let rule = fleet_rule(&user, north.clone()).await;
    // Made after the rule, and of another owner.
    let other = tagged(&user, json!({"site": "north", "floor": "2"})).await;
    let south = tagged(&user, json!({"site": "south"})).await;
    let stranger = app.user().await;
    let foreign = tagged(&stranger, north).await;
    for device in [&one, &other, &south, &foreign] {
        post(device, 100, 101).await;
        post(device, 90, 102).await;
    }
    let mut expected = vec![one.id.clone(), other.id.clone()];
    expected.sort();
    assert_eq!(firing(&user).await, expected);
    assert!(alerts(&stranger).await.is_empty());
    post(&one, 80, 99).await;
    assert_eq!(firing(&user).await, [other.id.as_str()]);
    for device in [&one, &other] {
        let rules = user.get(&device.path("/alert-rules")).await.expect(200);
        assert_eq!(rules.data().len(), 1);
        let list = user
            .get(&format!("/alert-rules?device_id={}", device.id))
            .await
            .expect(200);
        assert_eq!(list.body, rules.body);
    }
    assert!(
        user.get(&south.path("/alert-rules"))
            .await
            .expect(200)
            .data()
            .is_empty()
    );
    user.patch(&rule, &json!({"enabled": false}))
        .await
        .expect(200);
    assert!(firing(&user).await.is_empty());
    post(&one, 70, 500).await;
    assert!(firing(&user).await.is_empty());
    user.delete(&rule).await.expect(204);
    assert!(user.get("/alert-rules").await.expect(200).data().is_empty());
    assert_eq!(alerts(&user).await.len(), 2);
}

#[tokio::test]
async fn devices_follow_their_tags() {
    let app = App::start().await;
    let user = app.user().await;
    fleet_rule(&user, json!({"site": "north"})).await;
    let device = tagged(&user, json!({})).await;
    post(&device, 100, 500).await;
    assert!(alerts(&user).await.is_empty());
    let tag = |site: Value| json!({"tags": {"site": site}});
    user.patch(&device.path(""), &tag(json!("north")))
        .await
        .expect(200);
    // The past is not judged, and the next reading is.
    post(&device, 110, 500).await;
    assert!(alerts(&user).await.is_empty());
    post(&device, 90, 101).await;
    assert_eq!(firing(&user).await, [device.id.as_str()]);
    user.patch(&device.path(""), &tag(Value::Null))
        .await
        .expect(200);
    let all = alerts(&user).await;
    assert_eq!(all[0]["resolved_reason"], "rule_changed");
    post(&device, 80, 500).await;
    user.patch(&device.path(""), &tag(json!("north")))
        .await
        .expect(200);
    post(&device, 70, 99).await;
    assert_eq!(alerts(&user).await.len(), 1);
    post(&device, 60, 101).await;
    assert_eq!(alerts(&user).await.len(), 2);
}

#[tokio::test]
async fn a_rule_may_move_to_another_fleet() {
    let app = App::start().await;
    let user = app.user().await;
    let north = tagged(&user, json!({"site": "north"})).await;
    let south = tagged(&user, json!({"site": "south"})).await;
    let rule = fleet_rule(&user, json!({"site": "north"})).await;
    post(&north, 100, 101).await;
    let merged = json!({"selector": {"tags": {"floor": "2", "site": null}}});
    let merged = user.patch(&rule, &merged).await.expect(200);
    assert_eq!(merged.body["selector"], json!({"tags": {"floor": "2"}}));
    let none = json!({"selector": {"tags": {"floor": null}}});
    user.patch(&rule, &none)
        .await
        .problem(422, "validation_failed");
    let edited = user
        .patch(
            &rule,
            &json!({"selector": {"tags": {"site": "south", "floor": null}}}),
        )
        .await
        .expect(200);
    assert_eq!(edited.body["version"], 3);
    assert_eq!(alerts(&user).await[0]["resolved_reason"], "rule_changed");
    post(&north, 90, 101).await;
    post(&south, 90, 101).await;
    assert_eq!(firing(&user).await, [south.id.as_str()]);
    let armed = "select name from devices where armed and id = ";
    let sql = app.sql().await;
    assert!(
        sql.column(&format!("{armed}'{}'", north.id))
            .await
            .is_empty()
    );
    assert_eq!(sql.column(&format!("{armed}'{}'", south.id)).await.len(), 1);
}

#[tokio::test]
async fn a_selector_stands_where_it_belongs() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = |selector: Value| json!({"metric": "t", "comparator": "gt", "threshold": 1, "selector": selector});
    for (path, selector) in [
        (device.path("/alert-rules"), json!({"tags": {"a": "b"}})),
        ("/alert-rules".to_owned(), Value::Null),
        ("/alert-rules".to_owned(), json!({"tags": {}})),
        ("/alert-rules".to_owned(), json!({})),
        (
            "/alert-rules".to_owned(),
            json!({"tags": {"a": "b"}, "names": []}),
        ),
    ] {
        let answer = user
            .post(&path, &rule(selector))
            .await
            .problem(422, "validation_failed");
        assert!(answer.text.contains("selector"), "{}", answer.text);
    }
    let own = user.rule(&device, "gt", 1).await;
    let preview = json!({"rule": rule(json!({"tags": {"a": "b"}}))});
    let answer = user
        .post(&device.path("/alert-rules/preview"), &preview)
        .await
        .problem(422, "validation_failed");
    assert_eq!(answer.body["errors"][0]["pointer"], "/rule/selector");
    let edit = json!({"selector": {"tags": {"a": "b"}}});
    user.patch(&format!("/alert-rules/{own}"), &edit)
        .await
        .problem(422, "validation_failed");
}

/// Devices join and leave while the rule is made and edited: in the end each knows whether it is watched.
#[tokio::test]
async fn devices_join_and_leave_while_the_rule_changes() {
    let app = App::start().await;
    let user = app.user().await;
    let rule = fleet_rule(&user, json!({"site": "north"})).await;
    let devices = futures_util::future::join_all((0..6).map(|_| tagged(&user, json!({})))).await;
    let joining = devices.iter().zip(0..).map(|(device, n)| {
        let user = &user;
        async move {
            for round in 0..8 {
                let site = if (round + n) % 2 == 0 {
                    "north"
                } else {
                    "south"
                };
                user.patch(&device.path(""), &json!({"tags": {"site": site}}))
                    .await
                    .expect(200);
                post(device, 100 - round, 101).await;
            }
        }
    });
    let editing = async {
        for round in 0..12 {
            let site = if round % 2 == 0 { "south" } else { "north" };
            user.patch(&rule, &json!({"selector": {"tags": {"site": site}}}))
                .await
                .expect(200);
        }
    };
    let making =
        futures_util::future::join_all((0..6).map(|_| tagged(&user, json!({"site": "north"}))));
    tokio::join!(futures_util::future::join_all(joining), editing, making);
    let wrong = "select count(*) from devices where armed <> is_armed(id, owner_id, tags)";
    assert_eq!(app.sql().await.one(wrong).await, "0");
    let armed = "select count(*) from devices where armed";
    assert!(app.sql().await.one(armed).await != "0");
    for server in &app.servers {
        assert_eq!(server.complaints(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn there_are_so_many_rules_and_no_more() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    let mut of_fleet = rule.clone();
    of_fleet["selector"] = json!({"tags": {"a": "b"}});
    for (path, rule) in [
        (device.path("/alert-rules"), rule),
        ("/alert-rules".to_owned(), of_fleet),
    ] {
        for _ in 0..100 {
            user.post(&path, &rule).await.expect(201);
        }
        let answer = user
            .post(&path, &rule)
            .await
            .problem(422, "validation_failed");
        assert_eq!(answer.body["errors"][0]["code"], "too_many_rules");
    }
}
