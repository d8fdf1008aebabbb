//! How many keys there may be, what they may be made for, and how long they are good.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{make, path, with_key};
use crate::support::{App, now};

#[tokio::test]
async fn what_is_no_key_to_make_is_refused_by_member() {
    let app = App::start().await;
    let user = app.user().await;
    let good = || json!({"name": "x", "scopes": ["devices:read"]});
    for (member, value, code) in [
        ("name", Value::Null, "invalid_value"),
        ("name", json!(""), "invalid_value"),
        ("name", json!("x".repeat(101)), "invalid_value"),
        ("scopes", Value::Null, "invalid_value"),
        ("scopes", json!([]), "invalid_value"),
        ("scopes", json!("devices:read"), "invalid_value"),
        ("expires_at", json!("tomorrow"), "invalid_value"),
        ("expires_at", json!(now()), "invalid_value"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "invalid_value"),
        ("expires_at", json!(1_900_000_000), "invalid_value"),
        ("user_id", json!(user.id), "unknown_field"),
    ] {
        let mut body = good();
        body[member] = value.clone();
        let answer = user.post("/auth/api-keys", &body).await;
        assert_eq!(answer.status, 422, "{member} {value}: {}", answer.text);
        answer
            .problem(422, "validation_failed")
            .blames(&format!("/{member}"), code);
    }
    for scope in ["devices", "Devices:read", "devices:*", "*", "admin", ""] {
        let body = json!({"name": "x", "scopes": ["devices:read", scope]});
        let answer = user.post("/auth/api-keys", &body).await;
        answer
            .problem(422, "validation_failed")
            .blames("/scopes/1", "invalid_value");
    }
    for member in ["name", "scopes"] {
        let mut body = good();
        body.as_object_mut().unwrap().remove(member);
        let answer = user.post("/auth/api-keys", &body).await;
        answer
            .problem(422, "validation_failed")
            .blames(&format!("/{member}"), "missing_field");
    }
    assert!(
        user.get("/auth/api-keys")
            .await
            .expect(200)
            .data()
            .is_empty()
    );
}

#[tokio::test]
async fn a_key_that_has_expired_is_none() {
    let app = App::start().await;
    let user = app.user().await;
    let expires_at = now() + TimeDelta::days(1);
    let new = json!({"name": "x", "scopes": ["devices:read"], "expires_at": expires_at});
    let made = user.post("/auth/api-keys", &new).await.expect(201);
    assert_eq!(made.time_at("/expires_at"), expires_at);
    let sql = app.sql().await;
    sql.run("update api_keys set expires_at = now() - interval '1 second'")
        .await
        .unwrap();
    let refused = with_key(&app, &made).get("/devices").await;
    let refused = refused.problem(401, "unauthenticated");
    let nothing = app.anonymous().get("/devices").await;
    assert_eq!(refused.essence(), nothing.essence());
    // It is still there to be seen, and to be removed.
    user.get(&path(&made)).await.expect(200);
    user.delete(&path(&made)).await.expect(204);
}

#[tokio::test]
async fn a_key_expires_while_it_is_used() {
    let app = App::start().await;
    let user = app.user().await;
    let expires_at = now() + TimeDelta::seconds(2);
    let new = json!({"name": "x", "scopes": ["devices:read"], "expires_at": expires_at});
    let made = user.post("/auth/api-keys", &new).await.expect(201);
    let client = with_key(&app, &made).on(0);
    let within = std::time::Duration::from_secs(10);
    crate::support::eventually("the end of the key", within, async || {
        let asked_at = now();
        let status = client.get("/devices").await.status;
        assert!(status == 401 || asked_at < expires_at, "{status}");
        status == 401
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_no_more_than_fifty_are_made() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    for _ in 0..45 {
        make(&user, &["devices:read"]).await;
    }
    let new = json!({"name": "x", "scopes": ["devices:read"]});
    let answers = join_all((0..12).map(|_| user.post("/auth/api-keys", &new))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 201);
    assert_eq!(made.len(), 5);
    for answer in refused {
        answer
            .problem(422, "validation_failed")
            .blames("", "too_many_api_keys");
    }
    let all = user.get("/auth/api-keys").await.expect(200);
    assert_eq!(all.data().len(), 50);
    make(&other, &["devices:read"]).await;
    user.delete(&path(&made[0])).await.expect(204);
    make(&user, &["devices:read"]).await;
}

#[tokio::test]
async fn the_last_use_moves_at_most_once_a_minute() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    for (seconds, moves) in [(30, false), (90, true)] {
        let made = make(&user, &["devices:read"]).await;
        let id = made.text_at("/id");
        let before = format!(
            "update api_keys set last_used_at = now() - interval '{seconds} seconds' where id = '{id}'"
        );
        sql.run(&before).await.unwrap();
        let used_at = user.get(&path(&made)).await.expect(200);
        let used_at = used_at.time_at("/last_used_at");
        for instance in [0, 1] {
            let client = with_key(&app, &made).on(instance);
            client.get("/devices").await.expect(200);
        }
        let shown = user.get(&path(&made)).await.expect(200);
        assert_eq!(shown.time_at("/last_used_at") > used_at, moves);
    }
}
