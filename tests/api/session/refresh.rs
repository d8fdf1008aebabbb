//! Refresh tokens in the hands of honest clients.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use super::{next, refresh, refused};
use crate::support::{App, PASSWORD, Server, time};

#[tokio::test]
async fn each_refresh_makes_another_token_even_within_a_second() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let mut tokens = vec![user.refresh_token.clone()];
    for _ in 0..6 {
        let answer = refresh(&client, tokens.last().unwrap()).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        let token = answer.text_at("/refresh_token");
        assert!(
            token.starts_with("rrt_") && token.len() == user.refresh_token.len(),
            "{token}"
        );
        tokens.push(token.to_owned());
    }
    let different: BTreeSet<_> = tokens.iter().collect();
    assert_eq!(different.len(), tokens.len());
    user.get("/auth/session").await.expect(200);
    let sql = app.sql().await;
    let stored = "select string_agg(row_to_json(sessions)::text, ' ') from sessions";
    let stored = sql.one(stored).await;
    for token in tokens {
        assert!(!stored.contains(&token), "{stored}");
        assert!(!stored.contains(&token[4..]), "{stored}");
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_told_again() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let lost = refresh(&client, &user.refresh_token).await.expect(200);
    let told = refresh(&client, &user.refresh_token).await.expect(200);
    // The same successor: whichever of the two answers arrives, the client has the one token that is good.
    assert_eq!(
        lost.text_at("/refresh_token"),
        told.text_at("/refresh_token")
    );
    for answer in [&lost, &told] {
        let client = client.with_token(answer.text_at("/access_token"));
        client.get("/auth/session").await.expect(200);
    }
    let token = next(&client, told.text_at("/refresh_token")).await;
    next(&client, &token).await;
}

#[tokio::test]
async fn telling_it_again_puts_nothing_off() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    next(&client, &user.refresh_token).await;
    let sql = app.sql().await;
    sql.run("update sessions set rotated_at = rotated_at - interval '25 seconds', expires_at = expires_at - interval '1 day'")
        .await
        .unwrap();
    let stored = "select row_to_json(sessions)::text from sessions";
    let before = sql.one(stored).await;
    next(&client, &user.refresh_token).await;
    assert_eq!(sql.one(stored).await, before);
}

#[tokio::test]
async fn fifty_parallel_refreshes_leave_one_token_and_the_user_signed_in() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let answers = join_all((0..50).map(|_| refresh(&client, &user.refresh_token))).await;
    let answers: Vec<_> = answers.into_iter().map(|it| it.expect(200)).collect();
    let tokens: BTreeSet<_> = answers
        .iter()
        .map(|it| it.text_at("/refresh_token"))
        .collect();
    assert_eq!(
        tokens.len(),
        1,
        "one token is good, whichever answer is kept"
    );
    for answer in &answers {
        let client = client.with_token(answer.text_at("/access_token"));
        client.get("/auth/session").await.expect(200);
    }
    let rows = "select count(*) from sessions where revoked_at is null";
    assert_eq!(app.sql().await.one(rows).await, "1");
    // And once more with the winner.
    let winner = tokens.into_iter().next().unwrap();
    let again = join_all((0..50).map(|_| next(&client, winner))).await;
    let again: BTreeSet<_> = again.into_iter().collect();
    assert_eq!(again.len(), 1);
    next(&client, again.first().unwrap()).await;
    refused(&client, &user.refresh_token).await;
}

#[tokio::test]
async fn a_restart_forgets_no_token_that_is_good_and_none_that_was_used() {
    let mut app = App::start().await;
    let user = app.user().await;
    let other = user.sign_in_with("other").await;
    let token = next(&app.anonymous(), &user.refresh_token).await;
    let older = next(&app.anonymous(), &other.refresh_token).await;
    let newer = next(&app.anonymous(), &older).await;
    app.servers.clear();
    let settings = App::settings(&app.database);
    let server = Server::start(&settings).await;
    let client = crate::support::Client::anonymous([server.url().to_owned()].into());
    // An answer that was lost with the old instance, and the token that it would have told.
    assert_eq!(next(&client, &user.refresh_token).await, token);
    let token = next(&client, &token).await;
    refused(&client, &user.refresh_token).await;
    refused(&client, &token).await;
    // What had been used before the restart is still known for used.
    refused(&client, &other.refresh_token).await;
    refused(&client, &newer).await;
    let credentials = json!({"email": user.email, "password": PASSWORD});
    client.post("/auth/sign-in", &credentials).await.expect(200);
}

#[tokio::test]
async fn a_session_that_is_older_than_rotation_goes_on() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    sql.run("update sessions set family_hash = null")
        .await
        .unwrap();
    let client = app.anonymous();
    let first = next(&client, &user.refresh_token).await;
    assert_eq!(next(&client, &user.refresh_token).await, first);
    let second = next(&client, &first).await;
    refused(&client, &user.refresh_token).await;
    refused(&client, &second).await;
}

#[tokio::test]
async fn a_session_ends_after_a_year_however_often_it_is_refreshed() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    sql.run("update sessions set created_at = now() - interval '364 days'")
        .await
        .unwrap();
    let answer = refresh(&app.anonymous(), &user.refresh_token).await;
    let client = app
        .anonymous()
        .with_token(answer.expect(200).text_at("/access_token"));
    let session = client.get("/auth/session").await.expect(200);
    let created_at = time(session.text_at("/session/created_at"));
    let lifetime = session.time_at("/session/expires_at") - created_at;
    assert_eq!(lifetime.num_days(), 365);
}
