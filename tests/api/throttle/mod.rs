//! How often passwords and mailed tokens can be tried: over both instances, and through restarts.

mod account;
mod cost;
mod enumeration;
mod visitor;

use crate::support::{Answer, App, Client};
use serde_json::json;

const WRONG: &str = "a password that is wrong";

/// Both instances behind a proxy of ours, so that a client can come from anywhere.
async fn app() -> App {
    App::start_with(&[("TRUSTED_PROXIES", "1".to_owned())]).await
}

/// Someone without a credential, on a network.
fn from(app: &App, address: &str) -> Client {
    app.anonymous().with("x-forwarded-for", address)
}

async fn sign_in(client: &Client, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    client.post("/auth/sign-in", &body).await
}

/// So many wrong passwords, one after the other, each of which is looked at.
async fn fail(client: &Client, email: &str, times: usize) {
    for _ in 0..times {
        let answer = sign_in(client, email, WRONG).await;
        answer.problem(401, "invalid_credentials");
    }
}

/// It must be refused for at most so many seconds.
#[track_caller]
fn is_throttled(answer: Answer, seconds: u64) {
    let answer = answer.problem(429, "too_many_attempts");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=seconds).contains(&wait), "{wait}");
    let told = format!("in {wait} seconds");
    assert!(answer.text_at("/detail").contains(&told), "{}", answer.text);
}

/// As if everything had been tried a minute earlier.
async fn a_minute_passes(app: &App) {
    let earlier = "update throttles set full_at = full_at - interval '1 minute'";
    app.sql().await.run(earlier).await.unwrap();
}
