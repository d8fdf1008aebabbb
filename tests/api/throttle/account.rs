//! An account from anywhere, and a network over all accounts.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, App, PASSWORD, Postbox, User, fresh_email};

use super::{WRONG, app, fail, from, is_throttled, sign_in};

#[tokio::test]
async fn a_hundred_wrong_passwords_from_many_networks_lock_out_strangers_and_not_the_user() {
    let app = app().await;
    let user = User::sign_up(&from(&app, "2001:db8:cafe::1")).await;
    let nobody = fresh_email();
    for email in [&user.email, &nobody] {
        let strangers: Vec<_> = (1..=10)
            .map(|n| from(&app, &format!("203.0.113.{n}")))
            .collect();
        join_all(strangers.iter().map(|it| fail(it, email, 10))).await;
        // As if it had taken no time.
        let spent = "update throttles set full_at = now() + interval '100 minutes'
                     where full_at > now() + interval '95 minutes'";
        app.sql().await.run(spent).await.unwrap();
        let another = from(&app, "203.0.113.99");
        is_throttled(sign_in(&another, email, WRONG).await, 60);
        is_throttled(sign_in(&another, email, PASSWORD).await, 60);
    }
    // Where the user was before, though not with this very address.
    let home = from(&app, "2001:db8:cafe::2");
    sign_in(&home, &user.email, PASSWORD).await.expect(200);
    fail(&home, &user.email, 10).await;
    is_throttled(sign_in(&home, &user.email, PASSWORD).await, 60);
    is_throttled(sign_in(&home, &nobody, PASSWORD).await, 60);
    user.get("/auth/session").await.expect(200);
}

/// Asks until it is too much, and answers how often it was not: a hundred times, and what is earned back meanwhile.
async fn asks_a_hundred_times(mut ask: impl AsyncFnMut(usize) -> Answer) {
    let (started, mut times) = (Instant::now(), 0);
    let refused = loop {
        let answer = ask(times).await;
        if answer.status == 429 {
            break answer;
        }
        times += 1;
    };
    is_throttled(refused, 6);
    let earned = usize::try_from(started.elapsed().as_secs() / 6).unwrap() + 1;
    assert!((100..=100 + earned).contains(&times), "{times}");
}

#[tokio::test]
async fn a_network_tries_a_hundred_tokens_at_once_and_ten_a_minute() {
    let app = app().await;
    let verify = json!({"token": "rvt_none"});
    let reset = json!({"token": "rvt_none", "new_password": "another horse battery"});
    asks_a_hundred_times(async |n| {
        let here = from(&app, &format!("2001:db8:1:1::{n:x}"));
        if n % 2 == 0 {
            here.post("/auth/verify-email", &verify).await
        } else {
            here.post("/auth/reset-password", &reset).await
        }
    })
    .await;
    let next_door = from(&app, "2001:db8:1:2::1");
    let answer = next_door.post("/auth/verify-email", &verify).await;
    answer.problem(422, "invalid_token");
    // Signing in is counted apart.
    fail(&from(&app, "2001:db8:1:1::1"), &fresh_email(), 1).await;
}

#[tokio::test]
async fn a_network_asks_a_hundred_times_for_mail_over_all_accounts() {
    let app = app().await;
    let here = from(&app, "198.51.100.1");
    asks_a_hundred_times(async |_| {
        let body = json!({"email": fresh_email()});
        here.post("/auth/request-password-reset", &body).await
    })
    .await;
}

#[tokio::test]
async fn nobody_is_believed_to_be_elsewhere_where_no_proxy_is_trusted() {
    let app = App::start().await;
    let user = app.user().await;
    for n in 0..10 {
        fail(&from(&app, &format!("203.0.113.{n}")), &user.email, 1).await;
    }
    is_throttled(
        sign_in(&from(&app, "203.0.113.99"), &user.email, WRONG).await,
        60,
    );
    let sessions = "select distinct ip from sessions";
    assert_eq!(app.sql().await.one(sessions).await, "127.0.0.1");
}

#[tokio::test]
async fn where_a_proxy_is_trusted_the_last_address_counts_and_is_told() {
    let app = app().await;
    let user = app.user().await;
    for n in 0..10 {
        let forged = format!("203.0.113.{n}, 198.51.100.1");
        fail(&from(&app, &forged), &user.email, 1).await;
    }
    is_throttled(
        sign_in(&from(&app, "198.51.100.1"), &user.email, WRONG).await,
        60,
    );
    let there = from(&app, "203.0.113.1, 198.51.100.2");
    let answer = sign_in(&there, &user.email, PASSWORD).await.expect(200);
    let user = app.anonymous().with_token(answer.text_at("/access_token"));
    let sessions = user.get("/auth/sessions").await.expect(200);
    assert_eq!(sessions.data()[0]["ip"], "198.51.100.2");
}

#[tokio::test]
async fn whoever_reads_the_user_s_mail_signs_in_whatever_strangers_have_tried() {
    let postbox = Postbox::start().await;
    let mut settings = postbox.settings();
    settings.push(("TRUSTED_PROXIES", "1".to_owned()));
    let app = App::start_with(&settings).await;
    let user = User::sign_up(&from(&app, "198.51.100.1")).await;
    let strangers: Vec<_> = (1..=10)
        .map(|n| from(&app, &format!("203.0.113.{n}")))
        .collect();
    join_all(strangers.iter().map(|it| fail(it, &user.email, 10))).await;
    let abroad = from(&app, "192.0.2.77");
    let answer = sign_in(&abroad, &user.email, PASSWORD).await;
    // Unless one was earned back meanwhile.
    assert!([429, 200].contains(&answer.status), "{}", answer.text);
    let token = postbox.reset_token(&app, &user, 1).await;
    let reset = json!({"token": token, "new_password": "another horse battery"});
    abroad
        .post("/auth/reset-password", &reset)
        .await
        .expect(204);
    let answer = sign_in(&abroad, &user.email, "another horse battery").await;
    answer.expect(200);
    // And whatever they have tried there themselves.
    fail(&abroad, &user.email, 10).await;
    is_throttled(sign_in(&abroad, &user.email, WRONG).await, 60);
    let token = postbox.reset_token(&app, &user, 2).await;
    let reset = json!({"token": token, "new_password": "a horse that is found"});
    abroad
        .post("/auth/reset-password", &reset)
        .await
        .expect(204);
    let answer = sign_in(&abroad, &user.email, "a horse that is found").await;
    answer.expect(200);
}

#[tokio::test]
async fn an_address_signs_up_ten_times_an_hour_whoever_deletes_it_again() {
    let app = app().await;
    let email = fresh_email();
    let body = json!({"email": email, "password": PASSWORD});
    for n in 0..10 {
        let here = from(&app, &format!("203.0.113.{n}"));
        let status = if n == 0 { 201 } else { 409 };
        here.post("/auth/sign-up", &body).await.expect(status);
    }
    let here = from(&app, "203.0.113.99");
    is_throttled(here.post("/auth/sign-up", &body).await, 360);
}

#[tokio::test]
async fn the_networks_of_a_site_have_a_limit_together() {
    let app = app().await;
    let verify = json!({"token": "rvt_none"});
    let sql = app.sql().await;
    let here = from(&app, "2001:db8:7:1::1");
    here.post("/auth/verify-email", &verify).await.expect(422);
    // As if its other networks had tried as often as they may together.
    let spent = "update throttles set full_at = now() + interval '1000 seconds' where full_at < now() + interval '2 seconds'";
    sql.run(spent).await.unwrap();
    let next_door = from(&app, "2001:db8:7:2::1");
    is_throttled(next_door.post("/auth/verify-email", &verify).await, 2);
    let elsewhere = from(&app, "2001:db8:8::1");
    elsewhere
        .post("/auth/verify-email", &verify)
        .await
        .expect(422);
}
