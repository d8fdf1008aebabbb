//! `POST /auth/sign-up` and `PATCH /auth/user`.

mod delete;
mod password;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{App, PASSWORD, fresh_email, now};

#[tokio::test]
async fn a_user_signs_up_and_is_signed_in_at_once() {
    let app = App::start().await;
    let email = fresh_email();
    let body = json!({"email": format!(" {} ", email.to_uppercase()), "password": PASSWORD, "name": "Ada"});
    let answer = app.anonymous().post("/auth/sign-up", &body).await;

    let answer = answer.expect(201);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.text_at("/user/email"), email);
    assert_eq!(answer.text_at("/user/name"), "Ada");
    let age = now() - answer.time_at("/user/created_at");
    assert!(age.num_seconds() < 30, "{age}");
    assert_eq!(answer.text_at("/token_type"), "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
    assert!(!answer.text.contains("argon2"), "{}", answer.text);

    let token = answer.text_at("/access_token");
    let session = app.anonymous().with_token(token).get("/auth/session").await;
    assert_eq!(session.expect(200).body["user"], answer.body["user"]);
}

#[tokio::test]
async fn a_user_without_a_name_has_none() {
    let app = App::start().await;
    let body = json!({"email": fresh_email(), "password": PASSWORD});
    let answer = app.anonymous().post("/auth/sign-up", &body).await;
    assert!(answer.expect(201).body["user"]["name"].is_null());
}

#[tokio::test]
async fn an_address_signs_up_once_however_it_is_written() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"email": user.email.to_uppercase(), "password": PASSWORD});
    let again = app.anonymous().post("/auth/sign-up", &body).await;
    again.problem(409, "email_taken");
}

#[tokio::test]
async fn of_parallel_sign_ups_with_one_address_exactly_one_wins() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let body = json!({"email": fresh_email(), "password": PASSWORD});
    let client = app.anonymous();
    let answers = join_all((0..10).map(|_| client.post("/auth/sign-up", &body))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 201);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.problem(409, "email_taken");
    }
    let users = app.sql().await.one("select count(*) from users").await;
    assert_eq!(users, "1");
}

#[tokio::test]
async fn a_sign_up_is_refused_with_the_member_to_blame() {
    let app = App::start().await;
    let client = app.anonymous();
    let email = fresh_email();
    for (body, pointer, code) in [
        (json!({"password": PASSWORD}), "/email", "missing_field"),
        (json!({"email": email}), "/password", "missing_field"),
        (
            json!({"email": "no address", "password": PASSWORD}),
            "/email",
            "invalid_value",
        ),
        (
            json!({"email": email, "password": "short"}),
            "/password",
            "invalid_value",
        ),
        (
            json!({"email": email, "password": "x".repeat(129)}),
            "/password",
            "invalid_value",
        ),
        (
            json!({"email": email, "password": PASSWORD, "name": ""}),
            "/name",
            "invalid_value",
        ),
        (
            json!({"email": email, "password": PASSWORD, "admin": true}),
            "/admin",
            "unknown_field",
        ),
        (
            json!({"email": 7, "password": PASSWORD}),
            "/email",
            "invalid_value",
        ),
    ] {
        let answer = client.post("/auth/sign-up", &body).await;
        let answer = answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
        assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
    }
    let users = app.sql().await.one("select count(*) from users").await;
    assert_eq!(users, "0");
}

#[tokio::test]
async fn passwords_and_refresh_tokens_are_kept_as_hashes_alone() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    let hash = sql.one("select password_hash from accounts").await;
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    let everything = sql
        .one("select string_agg(row_to_json(sessions)::text, ' ') from sessions")
        .await;
    assert!(!everything.contains(&user.refresh_token), "{everything}");
    assert!(!everything.contains(&user.access_token), "{everything}");
    for server in &app.servers {
        let log = server.log();
        for secret in [PASSWORD, &user.refresh_token, &user.access_token] {
            assert!(!log.contains(secret), "a secret is in the log");
        }
    }
}

#[tokio::test]
async fn a_user_changes_their_name_and_takes_it_back() {
    let app = App::start().await;
    let user = app.user().await;
    let before = user.get("/auth/session").await.expect(200);
    let answer = user.patch("/auth/user", &json!({"name": " Ada "})).await;
    let answer = answer.expect(200);
    assert_eq!(answer.body["name"], "Ada");
    assert_eq!(answer.body["email"], user.email);
    let same = user.patch("/auth/user", &json!({})).await.expect(200);
    assert_eq!(same.body, answer.body);
    let session = user.get("/auth/session").await.expect(200);
    assert_eq!(session.body["user"], answer.body);
    let nothing = user.patch("/auth/user", &json!({"name": null})).await;
    assert_eq!(nothing.expect(200).body, before.body["user"]);
    for (body, pointer, code) in [
        (json!({"name": ""}), "/name", "invalid_value"),
        (json!({"email": "x@example.com"}), "/email", "unknown_field"),
    ] {
        let answer = user.patch("/auth/user", &body).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
}
