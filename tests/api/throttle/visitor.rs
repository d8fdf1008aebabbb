//! An account from one network.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{App, Client, PASSWORD, Server, eventually, fresh_email};

use super::{WRONG, a_minute_passes, app, fail, from, is_throttled, sign_in};
use std::time::Duration;

#[tokio::test]
async fn the_eleventh_wrong_password_is_refused_whoever_has_the_account_and_on_every_instance() {
    let app = app().await;
    let user = app.user().await;
    let here = from(&app, "198.51.100.1");
    let mut refused = Vec::new();
    for email in [&user.email, &fresh_email()] {
        fail(&here, email, 10).await;
        for instance in [0, 1] {
            is_throttled(sign_in(&here.on(instance), email, WRONG).await, 60);
        }
        // However it is written, and also with the right password: it is not even looked at.
        let loud = format!(" {} ", email.to_uppercase());
        is_throttled(sign_in(&here, &loud, PASSWORD).await, 60);
        let answer = sign_in(&here, email, PASSWORD).await;
        refused.push((answer.status, answer.body["title"].clone()));
    }
    assert_eq!(refused[0], refused[1]);
    // Elsewhere the user signs in, here others do, and who is in a session does not notice.
    sign_in(&from(&app, "198.51.100.2"), &user.email, PASSWORD)
        .await
        .expect(200);
    fail(&here, &fresh_email(), 1).await;
    user.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    fail(&app.anonymous(), &user.email, 10).await;
    let App {
        database, servers, ..
    } = app;
    drop(servers);
    let server = Server::start(&App::settings(&database)).await;
    let client = Client::anonymous([server.url().to_owned()].into());
    is_throttled(sign_in(&client, &user.email, PASSWORD).await, 60);
}

#[tokio::test]
async fn only_failures_count_and_one_is_earned_back_a_minute() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    fail(&client, &user.email, 9).await;
    for _ in 0..15 {
        sign_in(&client, &user.email, PASSWORD).await.expect(200);
    }
    fail(&client, &user.email, 1).await;
    is_throttled(sign_in(&client, &user.email, PASSWORD).await, 60);
    a_minute_passes(&app).await;
    fail(&client, &user.email, 1).await;
    is_throttled(sign_in(&client, &user.email, PASSWORD).await, 60);
    a_minute_passes(&app).await;
    sign_in(&client, &user.email, PASSWORD).await.expect(200);
    sign_in(&client, &user.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn of_parallel_attempts_no_more_are_made() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let answers = join_all((0..60).map(|_| sign_in(&client, &user.email, WRONG))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 401);
    assert_eq!(made.len(), 10);
    for answer in refused {
        is_throttled(answer, 60);
    }
}

#[tokio::test]
async fn a_password_in_a_session_is_throttled_for_that_user_alone() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let change = json!({"current_password": WRONG, "new_password": "yet another horse"});
    let delete = Some((
        "application/json",
        json!({"password": WRONG}).to_string().into_bytes(),
    ));
    for _ in 0..5 {
        let answer = user.post("/auth/change-password", &change).await;
        answer.problem(422, "wrong_password");
        let answer = user
            .ask(reqwest::Method::DELETE, "/auth/user", delete.clone())
            .await;
        answer.problem(422, "wrong_password");
    }
    is_throttled(user.post("/auth/change-password", &change).await, 60);
    let right = Some((
        "application/json",
        json!({"password": PASSWORD}).to_string().into_bytes(),
    ));
    is_throttled(
        user.ask(reqwest::Method::DELETE, "/auth/user", right).await,
        60,
    );
    user.get("/auth/session").await.expect(200);
    // Signing in is another matter, and what strangers try there does not stand in the way here.
    sign_in(&app.anonymous(), &user.email, PASSWORD)
        .await
        .expect(200);
    fail(&app.anonymous(), &other.email, 10).await;
    let change = json!({"current_password": PASSWORD, "new_password": "yet another horse"});
    other
        .post("/auth/change-password", &change)
        .await
        .expect(204);
}

#[tokio::test]
async fn mails_to_reset_a_password_are_asked_for_ten_at_once() {
    let app = app().await;
    let user = app.user().await;
    for email in [&user.email, &fresh_email()] {
        let here = from(&app, "198.51.100.1");
        let body = json!({"email": email});
        for _ in 0..10 {
            here.post("/auth/request-password-reset", &body)
                .await
                .expect(202);
        }
        is_throttled(here.post("/auth/request-password-reset", &body).await, 60);
        let there = from(&app, "198.51.100.2");
        there
            .post("/auth/request-password-reset", &body)
            .await
            .expect(202);
    }
}

#[tokio::test]
async fn what_is_earned_back_is_erased_and_tells_nothing_before() {
    let app = App::start().await;
    let user = app.user().await;
    fail(&app.anonymous(), &user.email, 1).await;
    let sql = app.sql().await;
    let kept = sql
        .one("select string_agg(row_to_json(it)::text, ' ') from throttles as it")
        .await;
    assert!(
        !kept.contains(&user.email) && !kept.contains("127.0.0.1"),
        "{kept}"
    );
    let past = "update throttles set full_at = now()";
    sql.run(past).await.unwrap();
    eventually("all is erased", Duration::from_secs(30), async || {
        sql.one("select count(*) from throttles").await == "0"
    })
    .await;
}

#[tokio::test]
async fn nothing_is_throttled_where_limits_are_off() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    fail(&app.anonymous(), &user.email, 15).await;
    assert_eq!(
        app.sql().await.one("select count(*) from throttles").await,
        "0"
    );
}
