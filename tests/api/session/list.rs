//! `GET /auth/sessions`, `DELETE /auth/sessions/{id}` and `POST /auth/sessions/revoke-others`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{next, refused};
use crate::support::{App, Server, User, eventually};

async fn id(user: &User) -> String {
    let session = user.get("/auth/session").await.expect(200);
    session.text_at("/session/id").to_owned()
}

/// The session ends at once on this instance, and soon on the other.
async fn is_over(user: &User, instance: usize) {
    let answer = user.on(instance).get("/auth/session").await;
    answer.problem(401, "unauthenticated");
    eventually(
        "the end of the session",
        Duration::from_secs(5),
        async || user.on(1 - instance).get("/auth/session").await.status == 401,
    )
    .await;
    let mut client = user.on(instance);
    client.forget_credential();
    refused(&client, &user.refresh_token).await;
}

#[tokio::test]
async fn a_user_sees_where_they_are_signed_in() {
    let app = App::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let phone = user.sign_in_with("Phone/1.0").await;
    let laptop = user.sign_in_with("Laptop/2.0").await;
    let list = laptop.get("/auth/sessions").await.expect(200);
    let sessions = list.data();
    let column = |member: &str| -> Vec<&Value> { sessions.iter().map(|it| &it[member]).collect() };
    assert_eq!(
        column("user_agent"),
        [&json!("Laptop/2.0"), &json!("Phone/1.0"), &Value::Null]
    );
    assert_eq!(column("ip"), [&json!("127.0.0.1"); 3]);
    assert_eq!(
        column("current"),
        [&json!(true), &json!(false), &json!(false)]
    );
    let ids = [id(&laptop).await, id(&phone).await, id(&user).await];
    assert_eq!(
        column("id"),
        ids.iter()
            .map(|it| json!(it))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    for session in sessions {
        let members: Vec<_> = session.as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            [
                "created_at",
                "current",
                "expires_at",
                "id",
                "ip",
                "last_used_at",
                "user_agent"
            ]
        );
    }
    assert_eq!(laptop.all("/auth/sessions?limit=1").await, *sessions);
    assert_eq!(
        stranger
            .get("/auth/sessions")
            .await
            .expect(200)
            .data()
            .len(),
        1
    );
    let answer = user.get("/auth/sessions?surprise=1").await;
    answer
        .problem(422, "validation_failed")
        .blames("surprise", "unknown_parameter");
}

#[tokio::test]
async fn a_refresh_tells_from_where_a_session_was_used_last() {
    let app = App::start().await;
    let user = app.user().await;
    let before = user.get("/auth/session").await.expect(200);
    let moved = app.anonymous().with("user-agent", "Tablet/3.0");
    next(&moved, &user.refresh_token).await;
    let after = user.get("/auth/session").await.expect(200);
    assert_eq!(after.body["session"]["user_agent"], "Tablet/3.0");
    assert_eq!(after.body["session"]["current"], true);
    assert_eq!(
        after.body["session"]["created_at"],
        before.body["session"]["created_at"]
    );
    for later in ["/session/last_used_at", "/session/expires_at"] {
        assert!(after.time_at(later) > before.time_at(later), "{later}");
    }
}

#[tokio::test]
async fn a_session_that_is_ended_from_elsewhere_is_over() {
    let app = App::start().await;
    let user = app.user().await;
    let other = user.sign_in_with("other").await;
    for instance in [0, 1] {
        other.on(instance).get("/auth/session").await.expect(200);
    }
    let path = format!("/auth/sessions/{}", id(&other).await);
    user.on(1).delete(&path).await.expect(204);
    is_over(&other, 1).await;
    user.delete(&path).await.problem(404, "not_found");
    let list = user.get("/auth/sessions").await.expect(200);
    assert_eq!(list.data().len(), 1);
    user.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn ending_the_own_session_is_a_sign_out() {
    let app = App::start().await;
    let user = app.user().await;
    let path = format!("/auth/sessions/{}", id(&user).await);
    user.on(0).delete(&path).await.expect(204);
    is_over(&user, 0).await;
}

#[tokio::test]
async fn anothers_session_is_not_there() {
    let app = App::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let path = format!("/auth/sessions/{}", id(&user).await);
    stranger.delete(&path).await.problem(404, "not_found");
    user.get("/auth/session").await.expect(200);
    let no_uuid = user.delete("/auth/sessions/no-uuid").await;
    no_uuid.problem(404, "not_found");
}

#[tokio::test]
async fn all_other_sessions_can_be_ended_at_once() {
    let app = App::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let others = [
        user.sign_in_with("one").await,
        user.sign_in_with("two").await,
    ];
    let path = "/auth/sessions/revoke-others";
    user.on(0).post_text(path, "").await.expect(204);
    for other in &others {
        is_over(other, 0).await;
    }
    user.on(0).post_text(path, "").await.expect(204);
    let list = user.get("/auth/sessions").await.expect(200);
    assert_eq!(list.data().len(), 1);
    next(&app.anonymous(), &user.refresh_token).await;
    stranger.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn sessions_that_have_ended_are_removed_a_day_later() {
    let app = App::start().await;
    let user = app.user().await;
    for agent in ["revoked", "expired", "revoked just now"] {
        user.sign_in_with(agent).await;
    }
    let sql = app.sql().await;
    sql.run(
        "update sessions set revoked_at = now() - interval '25 hours' where user_agent = 'revoked';
         update sessions set expires_at = now() - interval '25 hours' where user_agent = 'expired';
         update sessions set revoked_at = now() where user_agent = 'revoked just now'",
    )
    .await
    .unwrap();
    // It is looked for at the start, and then every hour.
    let _server = Server::start(&App::settings(&app.database)).await;
    eventually("the removal", Duration::from_secs(10), async || {
        sql.one("select count(*) from sessions").await == "2"
    })
    .await;
    let left = sql
        .column("select coalesce(user_agent, 'none') from sessions order by id")
        .await;
    assert_eq!(left, ["none", "revoked just now"]);
}

#[tokio::test]
async fn a_user_has_a_hundred_sessions_and_the_least_used_ones_end() {
    let app = App::start().await;
    let first = app.user().await;
    let many = format!(
        "insert into sessions (id, user_id, refresh_token_hash, family, expires_at, created_at, last_used_at)
         select id, '{}', id::text, id, now() + interval '30 days', now(), now() - interval '1 hour'
         from (select gen_random_uuid() as id from generate_series(1, 120)) as it",
        first.id
    );
    app.sql().await.run(&many).await.unwrap();
    let last = first.sign_in_with("last").await;
    let sessions = last.get("/auth/sessions?limit=500").await.expect(200);
    assert_eq!(sessions.data().len(), 100);
    for user in [&first, &last] {
        user.get("/auth/session").await.expect(200);
    }
}
