//! Refresh tokens that are shown while something else happens to their session.

use futures_util::future::join_all;

use super::{next, refresh, refused};
use crate::support::{Answer, App, Client};

/// Answers of both kinds are there, or the test would show nothing.
const ROUNDS: usize = 25;

/// Neither the tokens that were answered nor the one that was shown are good for anything.
async fn nothing_is_left(client: &Client, answers: &[Answer]) {
    for answer in answers {
        if answer.status == 200 {
            refused(client, answer.text_at("/refresh_token")).await;
        } else {
            assert_eq!(answer.status, 401, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_signed_out_while_it_is_refreshed_never_comes_back() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let sql = app.sql().await;
    let mut won = 0;
    for round in 0..ROUNDS {
        let session = user.sign_in_with("race").await;
        let shown = [0, 1, 0].map(|instance| client.on(instance));
        let refreshes = join_all(shown.iter().map(|it| refresh(it, &session.refresh_token)));
        let elsewhere = session.on(round % 2);
        let (answers, sign_out) =
            tokio::join!(refreshes, elsewhere.post_text("/auth/sign-out", ""));
        sign_out.expect(204);
        won += answers.iter().filter(|it| it.status == 200).count();
        nothing_is_left(&client, &answers).await;
        refused(&client, &session.refresh_token).await;
        for answer in answers.iter().filter(|it| it.status == 200) {
            let late = elsewhere.get("/auth/session").await;
            late.problem(401, "unauthenticated");
            let mut client = elsewhere.clone();
            client.forget_credential();
            let late = client.with_token(answer.text_at("/access_token"));
            late.get("/auth/session")
                .await
                .problem(401, "unauthenticated");
        }
    }
    let open = "select count(*) from sessions where revoked_at is null";
    assert_eq!(sql.one(open).await, "1", "that of the sign-up");
    assert!(won > 0, "no refresh ever came first");
}

#[tokio::test]
async fn a_reused_token_and_a_good_one_at_once_leave_either_a_session_or_none() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let mut ended = 0;
    for _ in 0..ROUNDS {
        let session = user.sign_in_with("race").await;
        let token = next(&client, &session.refresh_token).await;
        // The predecessor is answered as long as its successor is unused, which it ceases to be right now.
        let (old, new) = tokio::join!(
            refresh(&client, &session.refresh_token),
            refresh(&client, &token)
        );
        match (old.status, new.status) {
            (200, 200) => {
                assert_eq!(old.text_at("/refresh_token"), token);
                next(&client, new.text_at("/refresh_token")).await;
            }
            (401, 200) => {
                ended += 1;
                refused(&client, new.text_at("/refresh_token")).await;
                refused(&client, &token).await;
            }
            other => panic!("{other:?}: {} {}", old.text, new.text),
        }
    }
    println!("{ended} of {ROUNDS} sessions ended");
}

#[tokio::test]
async fn an_ancestor_among_parallel_refreshes_ends_the_session_for_all_of_them() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    for _ in 0..ROUNDS {
        let session = user.sign_in_with("race").await;
        let first = next(&client, &session.refresh_token).await;
        let second = next(&client, &first).await;
        let shown = [&second, &session.refresh_token, &second, &second, &first];
        let answers = join_all(shown.iter().map(|token| refresh(&client, token))).await;
        assert_eq!(answers[1].status, 401, "{}", answers[1].text);
        nothing_is_left(&client, &answers).await;
        refused(&client, &second).await;
    }
    let open = "select count(*) from sessions where revoked_at is null";
    assert_eq!(app.sql().await.one(open).await, "1", "that of the sign-up");
}
