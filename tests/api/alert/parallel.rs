//! Alerts while readings and edits come from everywhere at once.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use super::{alerts, armed, time_in};
use crate::support::{App, ago, reading_at};

#[tokio::test]
async fn of_64_parallel_breaches_one_opens_the_alert() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    let start = ago(600);
    let bodies: Vec<_> = (0..64)
        .map(|n| reading_at(start + TimeDelta::seconds(n), 101 + n))
        .collect();
    let answers = join_all(bodies.iter().map(|body| device.ingest_text(body))).await;
    for answer in answers {
        answer.expect(201);
    }
    let all = alerts(&user).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["status"], "firing");
    // The reading measured last is in any case judged, and it is the worst.
    assert_eq!(all[0]["peak_value"], 164);
}

#[tokio::test]
async fn readings_in_turn_over_both_instances_make_the_same_episodes() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    let start = ago(600);
    let at = |n: i64| start + TimeDelta::seconds(n);
    for n in 0..40 {
        let value = if n % 4 < 2 { 101 } else { 99 };
        device
            .ingest_text(&reading_at(at(n), value))
            .await
            .expect(201);
    }
    let all = alerts(&user).await;
    let episodes: Vec<_> = all
        .iter()
        .map(|it| (time_in(it, "triggered_at"), time_in(it, "resolved_at")))
        .collect();
    let expected: Vec<_> = (0..10).map(|n| (at(4 * n), at(4 * n + 2))).collect();
    assert_eq!(episodes, expected);
}

#[tokio::test]
async fn edits_resolutions_and_readings_at_once_leave_everything_consistent() {
    let app = App::start().await;
    let (user, device, rule) = armed(&app).await;
    let start = ago(600);
    let posts = async {
        for n in 0..60 {
            let value = if n % 3 == 0 { 99 } else { 120 };
            let body = reading_at(start + TimeDelta::seconds(n), value);
            device.ingest_text(&body).await.expect(201);
        }
    };
    let edits = async {
        for n in 0..20 {
            let patch = json!({"threshold": 100 + n % 2, "enabled": n % 5 != 4});
            user.patch(&format!("/alert-rules/{rule}"), &patch)
                .await
                .expect(200);
        }
    };
    let resolutions = async {
        for _ in 0..20 {
            let open = user.get("/alerts?status=firing").await.expect(200);
            if let Some(alert) = open.data().first() {
                let path = format!("/alerts/{}/resolve", alert["id"].as_str().unwrap());
                let status = user.post_text(&path, "").await.status;
                assert!([200, 409].contains(&status), "{status}");
            }
        }
    };
    tokio::join!(posts, edits, resolutions);
    let all = alerts(&user).await;
    assert!(all.iter().filter(|it| it["status"] == "firing").count() <= 1);
    let version = user.get(&format!("/alert-rules/{rule}")).await.expect(200);
    assert!(
        version.body["version"].as_i64().unwrap() > 10,
        "{}",
        version.text
    );
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "60");
}
