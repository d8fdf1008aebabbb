//! Nobody learns by signing in who has an account.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Answer, App, Client, fresh_email};

use super::{WRONG, sign_in};

const PAIRS: usize = 200;

/// How many passwords the instance has hashed.
async fn hashed(client: &Client) -> u64 {
    let metrics = client.at_root().get("/metrics").await.expect(200);
    let mut lines = metrics.text.lines();
    let figure = lines.find_map(|line| line.strip_prefix("readout_passwords_hashed_total "));
    figure.map_or(0, |figure| figure.parse().unwrap())
}

/// All of an answer but what names the request.
fn essence(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let headers = answer.headers.iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.essence())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
async fn two_hundred_pairs_of_sign_ins_tell_nothing_and_cost_the_same() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    let client = app.anonymous().on(0);
    let mut essences = Vec::new();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let before = hashed(&client).await;
    for n in 0..PAIRS {
        // Each comes first as often as the other.
        let mut pair = [(true, user.email.clone()), (false, fresh_email())];
        pair.rotate_left(n % 2);
        for (is_known, email) in pair {
            let started = Instant::now();
            let answer = sign_in(&client, &email, WRONG).await;
            let times = if is_known { &mut known } else { &mut unknown };
            times.push(started.elapsed());
            essences.push(essence(&answer.problem(401, "invalid_credentials")));
        }
    }
    essences.dedup();
    assert_eq!(essences.len(), 1, "{essences:#?}");
    // By construction, not by the clock: one hash each, of the same cost (see `auth::password`).
    assert_eq!(hashed(&client).await - before, 2 * PAIRS as u64);
    let (known, unknown) = (median(&mut known), median(&mut unknown));
    println!("medians: {known:?} where there is an account, {unknown:?} where there is none");
}

#[tokio::test]
async fn what_is_throttled_tells_nothing_and_costs_no_hash() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous().on(0);
    let mut essences = Vec::new();
    for email in [user.email.clone(), fresh_email(), "no address".to_owned()] {
        let before = hashed(&client).await;
        for n in 0..20 {
            let answer = sign_in(&client, &email, WRONG).await;
            let status = if n < 10 { 401 } else { 429 };
            let (_, headers, mut body) = essence(&answer.expect(status));
            let headers: Vec<_> = headers.into_iter().map(|(name, _)| name).collect();
            // How long to wait may differ by the second that has passed.
            body["detail"].take();
            essences.push((n, status, headers, body.to_string()));
        }
        assert_eq!(hashed(&client).await - before, 10);
    }
    essences.sort();
    essences.dedup();
    assert_eq!(essences.len(), 20, "{essences:#?}");
}
