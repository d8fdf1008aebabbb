//! The same request many times at once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{count_devices, keyed};
use crate::support::{Answer, App, Client, eventually};

/// Sends the same again and again until it is answered for good.
pub(super) async fn insist(client: &Client, path: &str, body: &Value, status: u16) -> Answer {
    for _ in 0..200 {
        let answer = client.post(path, body).await;
        match answer.status {
            409 => {
                let answer = answer.problem(409, "idempotency_in_flight");
                assert_eq!(answer.header("retry-after"), "1");
            }
            503 => assert!(!answer.header("retry-after").is_empty()),
            _ => return answer.expect(status),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} is never answered")
}

#[tokio::test]
async fn sixty_four_at_once_make_one_device() {
    let app = App::start().await;
    let user = app.user().await;
    for round in 0..3 {
        let client = keyed(&user, &format!("round-{round}"));
        let body = json!({"name": format!("Boiler {round}")});
        let answers = join_all((0..64).map(|_| insist(&client, "/devices", &body, 201))).await;
        let texts: BTreeSet<_> = answers.iter().map(|it| &it.text).collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
        let new = answers
            .iter()
            .filter(|it| it.header("idempotency-replayed").is_empty());
        assert_eq!(new.count(), 1);
        assert_eq!(count_devices(&user).await, round + 1);
    }
}

#[tokio::test]
async fn many_at_once_provision_a_sheet_once() {
    let app = App::start().await;
    let user = app.user().await;
    let client = keyed(&user, "k");
    let devices: Vec<_> = (0..300).map(|n| json!({"name": format!("d{n}")})).collect();
    let body = json!({"devices": devices});
    let answers = join_all((0..16).map(|_| insist(&client, "/devices/bulk", &body, 200))).await;
    let texts: BTreeSet<_> = answers.iter().map(|it| &it.text).collect();
    assert_eq!(texts.len(), 1);
    assert_eq!(count_devices(&user).await, 300);
}

#[tokio::test]
async fn who_comes_second_is_told_at_once() {
    let app = App::start().await;
    let user = app.user().await;
    let (holder, looker) = (app.sql().await, app.sql().await);
    let body = json!({"name": "Boiler"});
    // Provisioning takes a share of this lock, after it has taken the key.
    let hold = format!(
        "begin; select from users where id = '{}' for update",
        user.id
    );
    holder.run(&hold).await.unwrap();
    let client = keyed(&user.on(0), "k");
    let first = {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move { client.post("/devices", &body).await })
    };
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    eventually("the first one waits", Duration::from_secs(10), async || {
        looker.one(waiting).await == "1"
    })
    .await;
    for instance in [0, 1] {
        let second = keyed(&user.on(instance), "k").post("/devices", &body).await;
        let second = second.problem(409, "idempotency_in_flight");
        assert_eq!(second.header("retry-after"), "1");
    }
    holder.run("rollback").await.unwrap();
    let first = first.await.unwrap().expect(201);
    let again = client.post("/devices", &body).await.expect(201);
    assert_eq!(again.text, first.text);
    assert_eq!(count_devices(&user).await, 1);
}
