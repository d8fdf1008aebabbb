//! An account from anywhere, and a network over all accounts.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, App, PASSWORD, User, fresh_email};

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
