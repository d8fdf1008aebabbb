//! Refresh tokens that are shown once too often: the session ends, and stays ended.

use std::time::Duration;

use super::{next, refresh, refused};
use crate::support::{App, Client, Sql, User, eventually};

/// When the session of this number ended, if it has.
async fn revoked_at(sql: &Sql) -> String {
    sql.one("select revoked_at from sessions").await
}

/// The session of these tokens is over: at once here, and everywhere soon.
async fn is_over(app: &App, here: &Client, user: &User, token: &str) {
    let answer = here.get("/auth/session").await;
    answer.problem(401, "unauthenticated");
    for instance in [0, 1] {
        eventually(
            "the end of the session",
            Duration::from_secs(5),
            async || user.on(instance).get("/auth/session").await.status == 401,
        )
        .await;
        refused(&app.anonymous().on(instance), token).await;
    }
    assert_ne!(revoked_at(&app.sql().await).await, "");
}

#[tokio::test]
async fn a_predecessor_whose_successor_was_used_ends_the_session() {
    let app = App::start().await;
    let user = app.user().await;
    // Both instances know that the session is open.
    for instance in [0, 1] {
        user.on(instance).get("/auth/session").await.expect(200);
    }
    let here = app.anonymous().on(0);
    let first = next(&here, &user.refresh_token).await;
    let second = refresh(&here, &first).await.expect(200);
    let token = second.text_at("/refresh_token");
    next(&here, &first).await;
    // Two generations old, and within 30 seconds.
    refused(&here, &user.refresh_token).await;
    let client = here.with_token(second.text_at("/access_token"));
    is_over(&app, &client, &user, token).await;
    refused(&here, &first).await;
}

#[tokio::test]
async fn a_predecessor_that_is_shown_too_late_ends_the_session() {
    let app = App::start().await;
    let user = app.user().await;
    let here = app.anonymous().on(0);
    let answer = refresh(&here, &user.refresh_token).await.expect(200);
    let sql = app.sql().await;
    sql.run("update sessions set rotated_at = rotated_at - interval '30 seconds'")
        .await
        .unwrap();
    refused(&here, &user.refresh_token).await;
    let client = here.with_token(answer.text_at("/access_token"));
    is_over(&app, &client, &user, answer.text_at("/refresh_token")).await;
}

#[tokio::test]
async fn an_ancestor_ends_the_session_however_old_it_is() {
    let app = App::start().await;
    let user = app.user().await;
    let here = app.anonymous().on(1);
    let mut token = user.refresh_token.clone();
    for _ in 0..10 {
        token = next(&here, &token).await;
    }
    refused(&here, &user.refresh_token).await;
    is_over(&app, &user.on(1), &user, &token).await;
}

#[tokio::test]
async fn a_session_that_was_signed_out_stays_as_it_is_whatever_is_shown() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let first = next(&client, &user.refresh_token).await;
    let second = next(&client, &first).await;
    user.post_text("/auth/sign-out", "").await.expect(204);
    let sql = app.sql().await;
    let before = sql
        .one("select row_to_json(sessions)::text from sessions")
        .await;
    for token in [&user.refresh_token, &first, &second] {
        for instance in [0, 1] {
            refused(&client.on(instance), token).await;
        }
    }
    let after = sql
        .one("select row_to_json(sessions)::text from sessions")
        .await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn an_expired_session_is_over_and_no_token_brings_it_back() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let token = next(&client, &user.refresh_token).await;
    let sql = app.sql().await;
    sql.run("update sessions set expires_at = now() - interval '1 second'")
        .await
        .unwrap();
    let answer = user.get("/auth/session").await;
    answer.problem(401, "unauthenticated");
    refused(&client, &token).await;
    refused(&client, &user.refresh_token).await;
    assert_eq!(revoked_at(&sql).await, "");
    let open = "select count(*) from sessions where expires_at > now()";
    assert_eq!(sql.one(open).await, "0");
}

#[tokio::test]
async fn the_other_sessions_of_the_user_go_on() {
    let app = App::start().await;
    let user = app.user().await;
    let other = user.sign_in_with("other").await;
    let client = app.anonymous();
    let first = next(&client, &user.refresh_token).await;
    let second = next(&client, &first).await;
    refused(&client, &user.refresh_token).await;
    refused(&client, &second).await;
    other.get("/auth/session").await.expect(200);
    next(&client, &other.refresh_token).await;
}

#[tokio::test]
async fn what_only_looks_like_a_token_of_the_family_is_refused_like_one_of_none() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let client = app.anonymous();
    // A token has a checksum, so neither of these reaches the database.
    let half = format!(
        "{}{}",
        &user.refresh_token[..25],
        &other.refresh_token[25..]
    );
    refused(&client, &half).await;
    refused(&client, &user.refresh_token[..52]).await;
    next(&client, &user.refresh_token).await;
    next(&client, &other.refresh_token).await;
}
