//! `/auth/api-keys`, and what the keys are good for.

mod limits;

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, App, Client, User, eventually, now};

/// A key with these scopes.
async fn make(user: &User, scopes: &[&str]) -> Answer {
    let new = json!({"name": "Nightly export", "scopes": scopes});
    user.post("/auth/api-keys", &new).await.expect(201)
}

fn with_key(app: &App, made: &Answer) -> Client {
    app.anonymous().with_token(made.text_at("/api_key"))
}

fn path(made: &Answer) -> String {
    format!("/auth/api-keys/{}", made.text_at("/id"))
}

#[tokio::test]
async fn a_key_is_shown_once_used_listed_and_revoked() {
    let app = App::start().await;
    let user = app.user().await;
    let made = make(&user, &["readings:read", "devices:read", "devices:read"]).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let key = made.text_at("/api_key");
    assert_eq!((&key[..4], key.len()), ("rpk_", 53));
    assert_eq!(made.text_at("/key_prefix"), &key[..10]);
    assert_eq!(
        made.body["scopes"],
        json!(["devices:read", "readings:read"])
    );
    assert_eq!(made.body["last_used_at"], Value::Null);
    assert_eq!(made.body["expires_at"], Value::Null);
    assert!(now() - made.time_at("/created_at") < chrono::TimeDelta::minutes(1));

    let client = with_key(&app, &made);
    client.get("/devices").await.expect(200);
    let shown = user.get(&path(&made)).await.expect(200);
    assert!(shown.time_at("/last_used_at") >= made.time_at("/created_at"));
    let listed = user.get("/auth/api-keys").await.expect(200);
    assert_eq!(listed.data().as_slice(), std::slice::from_ref(&shown.body));
    for answer in [&shown, &listed] {
        assert!(!answer.text.contains(key), "{}", answer.text);
    }

    for instance in [0, 1] {
        client.on(instance).get("/devices").await.expect(200);
    }
    user.on(0).delete(&path(&made)).await.expect(204);
    let here = client.on(0).get("/devices").await;
    here.problem(401, "unauthenticated");
    let within = Duration::from_secs(5);
    eventually("the end of the key elsewhere", within, async || {
        client.on(1).get("/devices").await.status == 401
    })
    .await;
    user.get(&path(&made)).await.problem(404, "not_found");
    let again = user.delete(&path(&made)).await;
    again.problem(404, "not_found");
    assert!(
        user.get("/auth/api-keys")
            .await
            .expect(200)
            .data()
            .is_empty()
    );
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_cover_and_says_what_is_missing() {
    let app = App::start().await;
    let user = app.user().await;
    let client = with_key(&app, &make(&user, &["devices:read"]).await);
    client.get("/devices").await.expect(200);
    let refused = client.post("/devices", &json!({"name": "Boiler"})).await;
    let refused = refused.problem(403, "insufficient_scope");
    let challenge = r#"Bearer error="insufficient_scope", scope="devices:write""#;
    assert_eq!(refused.header("www-authenticate"), challenge);
    let detail = refused.text_at("/detail");
    assert!(detail.contains("devices:write"), "{detail}");
    // The same for what is not there: the scope is looked at first.
    let nothing = format!("/devices/{}", Uuid::now_v7());
    let refused = client.delete(&nothing).await;
    refused.problem(403, "insufficient_scope");
    client.get(&nothing).await.problem(404, "not_found");
    assert!(user.get("/devices").await.expect(200).data().is_empty());
}

#[tokio::test]
async fn a_key_is_no_session() {
    let app = App::start().await;
    let user = app.user().await;
    let made = make(&user, &["devices:read", "devices:write", "webhooks:write"]).await;
    let client = with_key(&app, &made);
    for path in ["/auth/session", "/auth/api-keys", &path(&made)] {
        let refused = client.get(path).await.problem(403, "session_required");
        assert_eq!(refused.header("www-authenticate"), "");
    }
    let more = json!({"name": "More", "scopes": ["alerts:write"]});
    let refused = client.post("/auth/api-keys", &more).await;
    refused.problem(403, "session_required");
    let refused = client.delete(&path(&made)).await;
    refused.problem(403, "session_required");
    user.get(&path(&made)).await.expect(200);
    let as_device = app.anonymous().with_key(made.text_at("/api_key"));
    let refused = as_device.post_text("/readings", "{}").await;
    refused.problem(401, "invalid_device_key");
}

#[tokio::test]
async fn nobody_sees_or_revokes_another_s_key() {
    let app = App::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let made = make(&user, &["devices:read"]).await;
    let nothing = format!("/auth/api-keys/{}", Uuid::now_v7());
    let essence = async |path: &str| {
        let shown = stranger.get(path).await.problem(404, "not_found");
        let deleted = stranger.delete(path).await.problem(404, "not_found");
        (shown.essence(), deleted.essence())
    };
    assert_eq!(essence(&path(&made)).await, essence(&nothing).await);
    assert_eq!(essence(&nothing).await, essence("/auth/api-keys/x").await);
    assert!(
        stranger
            .get("/auth/api-keys")
            .await
            .expect(200)
            .data()
            .is_empty()
    );
    with_key(&app, &made).get("/devices").await.expect(200);
}

#[tokio::test]
async fn a_key_is_kept_as_a_hash_and_never_logged() {
    let app = App::start().await;
    let user = app.user().await;
    let made = make(&user, &["devices:read"]).await;
    let key = made.text_at("/api_key");
    with_key(&app, &made).get("/devices").await.expect(200);
    let rows = app.sql().await.rows("select * from api_keys").await;
    let stored = rows.concat().join(" ");
    assert!(stored.contains("Nightly export"), "{stored}");
    let secret = &key[10..];
    assert!(!stored.contains(secret), "{stored}");
    for server in &app.servers {
        assert!(!server.log().contains(secret));
    }
    let callers = app
        .servers
        .iter()
        .map(|it| it.log().contains(r#""caller":"api_key""#));
    assert!(
        callers.into_iter().any(|it| it),
        "it should tell who called"
    );
}

#[tokio::test]
async fn the_keys_of_a_deleted_user_are_gone() {
    let app = App::start().await;
    let user = app.user().await;
    let client = with_key(&app, &make(&user, &["devices:read"]).await);
    let sql = app.sql().await;
    sql.run("delete from users").await.unwrap();
    assert_eq!(sql.one("select count(*) from api_keys").await, "0");
    client.get("/devices").await.problem(401, "unauthenticated");
}
