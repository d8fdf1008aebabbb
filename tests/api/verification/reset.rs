//! Choosing a new password with a mailed token.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{CHANGED, PASSWORD, RESET, eventually};

use super::{NEW_PASSWORD, app_with_mail, is_verified, reset, sign_in, verify};

#[tokio::test]
async fn a_reset_sets_the_password_ends_every_session_and_is_told() {
    let (app, postbox) = app_with_mail().await;
    let anonymous = app.anonymous();
    let user = app.user().await;
    let other = app.user().await;
    let elsewhere = sign_in(&anonymous, &user.email, PASSWORD).await.expect(200);
    let elsewhere = anonymous.with_token(elsewhere.text_at("/access_token"));
    elsewhere.get("/auth/session").await.expect(200);
    let key = json!({"name": "Nightly export", "scopes": ["devices:read"]});
    let key = user.post("/auth/api-keys", &key).await.expect(201);
    let program = anonymous.with_token(key.text_at("/api_key"));
    program.get("/devices").await.expect(200);

    let token = postbox.reset_token(&app, &user, 1).await;
    let answer = reset(&anonymous.on(0), &token, NEW_PASSWORD).await;
    assert_eq!(answer.expect(204).text, "");

    for session in [user.on(0), elsewhere.on(0)] {
        session
            .get("/auth/session")
            .await
            .problem(401, "unauthenticated");
    }
    let gone = "the sessions have ended on the other instance";
    eventually(gone, Duration::from_secs(15), async || {
        user.on(1).get("/auth/session").await.status == 401
            && elsewhere.on(1).get("/auth/session").await.status == 401
    })
    .await;
    let body = json!({"refresh_token": user.refresh_token});
    let refresh = anonymous.post("/auth/refresh", &body).await;
    refresh.problem(401, "invalid_credentials");
    let old = sign_in(&anonymous, &user.email, PASSWORD).await;
    old.problem(401, "invalid_credentials");
    let new = sign_in(&anonymous, &user.email, NEW_PASSWORD).await;
    assert_eq!(new.expect(200).body["user"]["email_verified"], true);

    // Whoever had the password may have made it.
    for instance in [0, 1] {
        eventually("the end of the key", Duration::from_secs(5), async || {
            program.on(instance).get("/devices").await.status == 401
        })
        .await;
    }
    let notice = postbox.letter(&user.email, CHANGED, 1).await;
    assert!(!notice.text.contains("rvt_"), "{}", notice.text);
    other.get("/auth/session").await.expect(200);
    assert!(!is_verified(&other).await);
    assert!(postbox.letters(&other.email, CHANGED).is_empty());
}

#[tokio::test]
async fn a_token_resets_once_and_takes_all_others_with_it() {
    let (app, postbox) = app_with_mail().await;
    let anonymous = app.anonymous();
    let user = app.user().await;
    let first = postbox.reset_token(&app, &user, 1).await;
    let second = postbox.reset_token(&app, &user, 2).await;
    reset(&anonymous, &first, NEW_PASSWORD).await.expect(204);
    for token in [&first, &second] {
        let again = reset(&anonymous, token, "yet another password").await;
        again
            .problem(422, "invalid_token")
            .blames("/token", "invalid_token");
    }
    sign_in(&anonymous, &user.email, NEW_PASSWORD)
        .await
        .expect(200);
    // The next one is good again.
    let third = postbox.reset_token(&app, &user, 3).await;
    reset(&anonymous, &third, PASSWORD).await.expect(204);
}

#[tokio::test]
async fn of_parallel_resets_with_one_token_exactly_one_wins() {
    let (app, postbox) = app_with_mail().await;
    let anonymous = app.anonymous();
    let user = app.user().await;
    let token = postbox.reset_token(&app, &user, 1).await;
    let passwords: Vec<_> = (0..10).map(|n| format!("{NEW_PASSWORD} {n}")).collect();
    let tries = passwords.iter().map(|it| reset(&anonymous, &token, it));
    let answers = join_all(tries).await;
    let mut winners = Vec::new();
    for (answer, password) in answers.into_iter().zip(&passwords) {
        if answer.status == 204 {
            winners.push(password);
        } else {
            answer.problem(422, "invalid_token");
        }
    }
    let [winner] = winners[..] else {
        panic!("{winners:?}")
    };
    sign_in(&anonymous, &user.email, winner).await.expect(200);
    postbox.letter(&user.email, CHANGED, 1).await;
}

#[tokio::test]
async fn a_token_is_good_for_an_hour() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let token = postbox.reset_token(&app, &user, 1).await;
    let sql = app.sql().await;
    let lifetime = "select round(extract(epoch from expires_at - now()) / 60)
                    from verifications where purpose = 'reset_password'";
    assert_eq!(sql.one(lifetime).await, "60");
    sql.run("update verifications set expires_at = now()")
        .await
        .unwrap();
    let late = reset(&app.anonymous(), &token, NEW_PASSWORD).await;
    late.problem(422, "invalid_token");
    sign_in(&app.anonymous(), &user.email, PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_password_that_is_refused_leaves_the_token_good() {
    let (app, postbox) = app_with_mail().await;
    let anonymous = app.anonymous();
    let user = app.user().await;
    let token = postbox.reset_token(&app, &user, 1).await;
    let personal = format!("{}123", user.email);
    for password in ["short", &"x".repeat(129), "password123", &personal] {
        let answer = reset(&anonymous, &token, password).await;
        let answer = answer.problem(422, "validation_failed");
        answer.blames("/new_password", "invalid_value");
    }
    let body = json!({"token": token, "new_password": NEW_PASSWORD, "surprise": 1});
    let answer = anonymous.post("/auth/reset-password", &body).await;
    answer.problem(422, "validation_failed");
    reset(&anonymous, &token, NEW_PASSWORD).await.expect(204);
}

#[tokio::test]
async fn a_change_of_the_password_voids_tokens_and_is_told_too() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let token = postbox.reset_token(&app, &user, 1).await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let changed = user.post("/auth/change-password", &body).await;
    changed.expect(204);
    let late = reset(&app.anonymous(), &token, "yet another password").await;
    late.problem(422, "invalid_token");
    postbox.letter(&user.email, CHANGED, 1).await;
}

#[tokio::test]
async fn a_token_of_another_kind_resets_nothing() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let token = postbox.verify_token(&user).await;
    let answer = reset(&app.anonymous(), &token, NEW_PASSWORD).await;
    answer.problem(422, "invalid_token");
    // And it is still good for what it is for.
    verify(&app.anonymous(), &token).await.expect(204);
    assert!(postbox.letters(&user.email, RESET).is_empty());
}
