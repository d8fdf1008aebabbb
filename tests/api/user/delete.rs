//! `DELETE /auth/user`.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, App, Client, JSON, PASSWORD, Sql, User, ago, batch, eventually, now, reading_at,
};

async fn delete(client: &Client, password: &str) -> Answer {
    let body = json!({"password": password}).to_string().into_bytes();
    client
        .ask(Method::DELETE, "/auth/user", Some((JSON, body)))
        .await
}

/// Everything that the database has of anybody.
const TABLES: [&str; 14] = [
    "users",
    "accounts",
    "sessions",
    "api_keys",
    "idempotency_keys",
    "familiar_networks",
    "devices",
    "device_status_changes",
    "series",
    "samples",
    "alert_rules",
    "alert_states",
    "alerts",
    "alert_transitions",
];

async fn counts(sql: &Sql) -> Vec<(&'static str, String)> {
    let mut counts = Vec::new();
    for table in TABLES {
        let count = sql.one(&format!("select count(*) from {table}")).await;
        counts.push((table, count));
    }
    counts
}

/// The purge begins by itself every five seconds.
async fn purged_to(sql: &Sql, wanted: &[(&'static str, String)]) {
    eventually("the purge", Duration::from_secs(40), async || {
        counts(sql).await == wanted
    })
    .await;
}

/// A user with one of everything.
async fn someone(app: &App) -> User {
    let user = app.user().await;
    let devices = [user.device().await, user.device().await];
    user.rule(&devices[0], "gt", 100).await;
    let tags = json!({"tags": {"site": "north"}});
    user.patch(&devices[1].path(""), &tags).await.expect(200);
    let fleet = json!({"metric": "t", "comparator": "gt", "threshold": 50, "selector": tags});
    user.post("/alert-rules", &fleet).await.expect(201);
    for device in &devices {
        let readings = batch((0..20).map(|n| reading_at(ago(20 - n), 90 + n)));
        device.ingest_text(&readings).await.expect(200);
    }
    let alerts = user.get("/alerts").await.expect(200);
    assert_eq!(alerts.data().len(), 2, "{}", alerts.text);
    let path = format!("/alerts/{}/acknowledge", alerts.text_at("/data/0/id"));
    user.post(&path, &json!({"note": "Seen"})).await.expect(200);
    user
}

#[tokio::test]
async fn a_user_who_is_deleted_leaves_nothing_behind() {
    let app = App::start().await;
    let stays = someone(&app).await;
    let sql = app.sql().await;
    let before = counts(&sql).await;
    let goes = someone(&app).await;
    let device = goes.device_named("Last").await;
    device.ingest_text(&reading_at(now(), 1)).await.expect(201);
    let other = goes.sign_in_with("other").await;
    let new = json!({"name": "Nightly export", "scopes": ["devices:read"]});
    let api_key = goes.post("/auth/api-keys", &new).await.expect(201);
    let program = app.anonymous().with_token(api_key.text_at("/api_key"));
    for instance in [0, 1] {
        program.on(instance).get("/devices").await.expect(200);
    }

    let answer = delete(&goes.on(0), PASSWORD).await.expect(204);
    assert_eq!(answer.text, "");
    for session in [&goes, &other] {
        let here = session.on(0).get("/devices").await;
        here.problem(401, "unauthenticated");
        let body = json!({"refresh_token": session.refresh_token});
        let refresh = app.anonymous().post("/auth/refresh", &body).await;
        refresh.problem(401, "invalid_credentials");
    }
    let here = program.on(0).get("/devices").await;
    here.problem(401, "unauthenticated");
    for instance in [0, 1] {
        let device = device.on_one(instance);
        let reading = device.ingest_text(&reading_at(now(), 2)).await;
        reading.problem(401, "invalid_device_key");
        eventually(
            "the end of the sessions",
            Duration::from_secs(5),
            async || goes.on(instance).get("/auth/session").await.status == 401,
        )
        .await;
        eventually("the end of the key", Duration::from_secs(5), async || {
            program.on(instance).get("/devices").await.status == 401
        })
        .await;
    }
    let credentials = json!({"email": goes.email, "password": PASSWORD});
    let sign_in = app.anonymous().post("/auth/sign-in", &credentials).await;
    sign_in.problem(401, "invalid_credentials");
    let address = format!("select count(*) from users where email = '{}'", goes.email);
    assert_eq!(sql.one(&address).await, "0");

    purged_to(&sql, &before).await;
    assert_eq!(stays.get("/alerts").await.expect(200).data().len(), 2);
    assert_eq!(stays.get("/devices").await.expect(200).data().len(), 2);
    // The address is free again, and what was is not there.
    let again = app.anonymous().post("/auth/sign-up", &credentials).await;
    let again = again.expect(201);
    assert_ne!(again.text_at("/user/id"), goes.id);
    let client = app.anonymous().with_token(again.text_at("/access_token"));
    assert!(client.get("/devices").await.expect(200).data().is_empty());
    for server in &app.servers {
        assert_eq!(server.complaints(), [""; 0]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_blamed_and_deletes_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for wrong in ["", "Correct horse battery"] {
        let answer = delete(&user, wrong).await;
        let answer = answer.problem(422, "wrong_password");
        answer.blames("/password", "wrong_password");
    }
    let answer = user
        .ask(Method::DELETE, "/auth/user", Some((JSON, b"{}".to_vec())))
        .await;
    answer
        .problem(422, "validation_failed")
        .blames("/password", "missing_field");
    let answer = user.delete("/auth/user").await;
    assert!([400, 415, 422].contains(&answer.status), "{}", answer.text);
    device.ingest_text(&reading_at(now(), 1)).await.expect(201);
    user.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn readings_that_arrive_meanwhile_are_stored_before_or_not_at_all() {
    let app = App::start().await;
    let user = app.user().await;
    let mut devices = Vec::new();
    for _ in 0..4 {
        let device = user.device().await;
        user.rule(&device, "gt", 100).await;
        devices.push(device);
    }
    let posting = devices.iter().enumerate().map(|(place, device)| {
        let device = device.on_one(place % 2);
        async move {
            let mut stored = 0;
            for n in 0.. {
                let answer = device.ingest_text(&reading_at(now(), 50 + n % 100)).await;
                match answer.status {
                    200 | 201 => stored += 1,
                    _ => {
                        answer.problem(401, "invalid_device_key");
                        return stored;
                    }
                }
            }
            unreachable!("it is deleted some time")
        }
    });
    let deleting = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        delete(&user, PASSWORD).await.expect(204)
    };
    let (stored, _) = tokio::join!(join_all(posting), deleting);
    assert!(stored.iter().all(|stored| *stored > 0), "{stored:?}");
    for device in &devices {
        let late = device.ingest_text(&reading_at(now(), 1)).await;
        late.problem(401, "invalid_device_key");
    }
    let nothing = TABLES.map(|table| (table, "0".to_owned()));
    purged_to(&app.sql().await, &nothing).await;
    for server in &app.servers {
        assert_eq!(server.complaints(), [""; 0]);
    }
}

#[tokio::test]
async fn whatever_is_made_meanwhile_goes_too_or_is_not_made() {
    let app = App::start().await;
    for _ in 0..5 {
        let user = app.user().await;
        let device = user.device().await;
        let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1});
        let fleet = json!({"metric": "t", "comparator": "gt", "threshold": 1, "selector": {"tags": {"a": "b"}}});
        let tagged = json!({"name": "Tagged", "tags": {"a": "b"}});
        let credentials = json!({"email": user.email, "password": PASSWORD});
        let rules = device.path("/alert-rules");
        let elsewhere = user.on(1);
        let (devices, rules, fleets, sign_ins, deleted) = tokio::join!(
            join_all((0..6).map(|_| elsewhere.post("/devices", &tagged))),
            join_all((0..3).map(|_| elsewhere.post(&rules, &rule))),
            join_all((0..3).map(|_| elsewhere.post("/alert-rules", &fleet))),
            join_all((0..2).map(|_| elsewhere.post("/auth/sign-in", &credentials))),
            delete(&user, PASSWORD),
        );
        deleted.expect(204);
        for answer in devices.iter().chain(&rules).chain(&fleets).chain(&sign_ins) {
            let allowed = [200, 201, 401, 404];
            assert!(allowed.contains(&answer.status), "{}", answer.text);
        }
    }
    let nothing = TABLES.map(|table| (table, "0".to_owned()));
    purged_to(&app.sql().await, &nothing).await;
    for server in &app.servers {
        assert_eq!(server.complaints(), [""; 0]);
    }
}

#[tokio::test]
async fn of_parallel_deletions_one_wins_and_nobody_else_is_hurt() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let answers = join_all((0..4).map(|n| {
        let client = user.on(n % 2);
        async move { delete(&client, PASSWORD).await.status }
    }))
    .await;
    assert!(answers.contains(&204), "{answers:?}");
    assert!(
        answers.iter().all(|it| [204, 401, 422].contains(it)),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|it| **it == 204).count(), 1);
    other.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn more_devices_than_one_transaction_takes_end_with_their_user() {
    let app = App::start().await;
    let user = app.user().await;
    let mut last = String::new();
    for n in 0..3 {
        let devices: Vec<_> = (0..1_000)
            .map(|i| json!({"name": format!("{n}/{i}")}))
            .collect();
        let made = json!({"devices": devices});
        let made = user.post("/devices/bulk", &made).await.expect(200);
        last = made.text_at("/items/999/device_key").to_owned();
    }
    let client = app.anonymous().with_key(&last);
    client
        .post_text("/readings", &reading_at(now(), 1))
        .await
        .expect(201);
    delete(&user, PASSWORD).await.expect(204);
    let refused = client.post_text("/readings", &reading_at(now(), 2)).await;
    refused.problem(401, "invalid_device_key");
    let sql = app.sql().await;
    let kept = "select count(*) from devices where deleted_at is null";
    assert_eq!(sql.one(kept).await, "0");
}
