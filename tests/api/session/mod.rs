//! `/auth/sign-in`, `/auth/refresh`, `/auth/sign-out`, `/auth/session` and `/auth/sessions`.

mod list;
mod race;
mod refresh;
mod reuse;
mod token;

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, App, Client, PASSWORD, eventually, fresh_email};

/// Shows a refresh token.
async fn refresh(client: &Client, token: &str) -> Answer {
    client
        .post("/auth/refresh", &json!({"refresh_token": token}))
        .await
}

/// Shows a refresh token that is good, and answers the one that is good now.
async fn next(client: &Client, token: &str) -> String {
    let answer = refresh(client, token).await.expect(200);
    answer.text_at("/refresh_token").to_owned()
}

/// Shows a refresh token that is not good.
async fn refused(client: &Client, token: &str) {
    let answer = refresh(client, token).await;
    answer.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_session_lives_from_sign_in_over_refresh_to_sign_out() {
    let app = App::start().await;
    let user = app.user().await;
    let anonymous = app.anonymous();

    let body = json!({"email": user.email.to_uppercase(), "password": PASSWORD});
    let signed_in = anonymous.post("/auth/sign-in", &body).await.expect(200);
    assert_eq!(signed_in.header("cache-control"), "no-store");
    assert_eq!(signed_in.text_at("/user/id"), user.id);
    assert_eq!(signed_in.text_at("/token_type"), "Bearer");
    assert!(!signed_in.text.contains(PASSWORD));

    let body = json!({"refresh_token": signed_in.text_at("/refresh_token")});
    let refreshed = anonymous.post("/auth/refresh", &body).await.expect(200);
    assert_eq!(refreshed.header("cache-control"), "no-store");
    assert_eq!(refreshed.text_at("/user/id"), user.id);
    assert_ne!(
        refreshed.text_at("/refresh_token"),
        signed_in.text_at("/refresh_token")
    );

    let client = anonymous.with_token(refreshed.text_at("/access_token"));
    let session = client.get("/auth/session").await.expect(200);
    assert_eq!(session.text_at("/user/email"), user.email);
    assert!(session.time_at("/session/last_used_at") >= session.time_at("/session/created_at"));
    assert!(session.time_at("/session/expires_at") > session.time_at("/session/last_used_at"));
    assert!(!session.text_at("/session/id").is_empty());

    client
        .ask("POST".parse().unwrap(), "/auth/sign-out", None)
        .await
        .expect(204);
    let body = json!({"refresh_token": refreshed.text_at("/refresh_token")});
    let late = anonymous.post("/auth/refresh", &body).await;
    late.problem(401, "invalid_credentials");
    // The session of the sign-up is another one.
    user.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn a_sign_out_holds_at_once_here_and_soon_everywhere() {
    let app = App::start().await;
    let user = app.user().await;
    for instance in [0, 1] {
        user.on(instance).get("/auth/session").await.expect(200);
    }
    let sign_out = user.on(0).post_text("/auth/sign-out", "").await;
    sign_out.expect(204);
    let here = user.on(0).get("/auth/session").await;
    here.problem(401, "unauthenticated");
    eventually(
        "the end of the session elsewhere",
        Duration::from_secs(5),
        async || user.on(1).get("/auth/session").await.status == 401,
    )
    .await;
    let again = user.on(0).post_text("/auth/sign-out", "").await;
    again.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let app = App::start().await;
    let user = app.user().await;
    let sign_in = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let answer = app.anonymous().post("/auth/sign-in", &body).await;
        let answer = answer.problem(401, "invalid_credentials");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answer.essence()
    };
    let wrong = sign_in(&user.email, "another password").await;
    let unknown = sign_in(&fresh_email(), PASSWORD).await;
    let impossible = sign_in("no address", "x").await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, impossible);
}

#[tokio::test]
async fn what_is_no_refresh_token_refreshes_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let unknown = format!("rrt_{}", "0".repeat(49));
    for token in ["", "x", &unknown, &user.access_token] {
        let body = json!({"refresh_token": token});
        let answer = app.anonymous().post("/auth/refresh", &body).await;
        answer.problem(401, "invalid_credentials");
    }
    let answer = app.anonymous().post("/auth/refresh", &json!({})).await;
    answer
        .problem(422, "validation_failed")
        .blames("/refresh_token", "missing_field");
}
