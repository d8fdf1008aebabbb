//! `GET /devices/{id}/rejections`: why data is missing.

mod noted;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Device, Sql, eventually};

/// Rejections as the service would have written them.
async fn rejected(sql: &Sql, device: &Device) {
    let insert = format!(
        "insert into rejections (device_id, code, count, first_seen_at, last_seen_at, detail, sample) values
         ('{0}', 'conflict', 3, '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', 'another value', '{{\"value\":1}}'),
         ('{0}', 'rate_limited', 9007199254740991, '2026-01-01T00:00:00Z', '2026-01-03T00:00:00.5Z', 'too many', null)",
        device.id
    );
    sql.run(&insert).await.unwrap();
}

#[tokio::test]
async fn a_device_without_rejections_has_none() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let answer = user.get(&device.path("/rejections")).await.expect(200);
    assert_eq!(answer.body, json!({"data": []}));
}

#[tokio::test]
async fn rejections_are_listed_by_code_the_latest_first() {
    let app = App::start().await;
    let user = app.user().await;
    let (device, other) = (user.device().await, user.device().await);
    rejected(&app.sql().await, &device).await;
    let answer = user.get(&device.path("/rejections")).await.expect(200);
    let expected = json!({"data": [
        {
            "code": "rate_limited", "count": 9_007_199_254_740_991_u64, "detail": "too many", "sample": Value::Null,
            "first_seen_at": "2026-01-01T00:00:00Z", "last_seen_at": "2026-01-03T00:00:00.500Z",
        },
        {
            "code": "conflict", "count": 3, "detail": "another value", "sample": "{\"value\":1}",
            "first_seen_at": "2026-01-01T00:00:00Z", "last_seen_at": "2026-01-02T00:00:00Z",
        },
    ]});
    assert_eq!(answer.body, expected);
    let others = user.get(&other.path("/rejections")).await.expect(200);
    assert!(others.data().is_empty());
}

#[tokio::test]
async fn rejections_are_for_the_owner_alone() {
    let app = App::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let device = owner.device().await;
    rejected(&app.sql().await, &device).await;
    let path = device.path("/rejections");
    stranger.get(&path).await.problem(404, "not_found");
    let unknown = format!("/devices/{}/rejections", Uuid::now_v7());
    owner.get(&unknown).await.problem(404, "not_found");
    device.get(&path).await.problem(401, "unauthenticated");
    let anonymous = app.anonymous();
    anonymous.get(&path).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn rejections_go_with_their_device() {
    let app = App::start().await;
    let user = app.user().await;
    let (gone, stays) = (user.device().await, user.device().await);
    let sql = app.sql().await;
    for device in [&gone, &stays] {
        rejected(&sql, device).await;
    }
    user.delete(&gone.path("")).await.expect(204);
    let path = gone.path("/rejections");
    user.get(&path).await.problem(404, "not_found");
    let within = std::time::Duration::from_secs(35);
    eventually("the purge", within, async || {
        sql.one("select count(*) from rejections").await == "2"
    })
    .await;
    let kept = user.get(&stays.path("/rejections")).await.expect(200);
    assert_eq!(kept.data().len(), 2);
}

#[tokio::test]
async fn what_a_device_is_refused_is_counted_over_both_instances() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let wrong = json!({"readings": [
        {"metric": "t", "value": "wet"}, {"metric": "t", "value": 1}, {"metric": "t", "value": device.key},
    ]});
    for instance in [0, 1] {
        let answer = device.on(instance).post("/readings", &wrong).await;
        assert_eq!(answer.expect(200).body["rejected"], 2);
    }
    let path = device.path("/rejections");
    let within = std::time::Duration::from_secs(5);
    eventually("the count", within, async || {
        user.get(&path).await.expect(200).body["data"][0]["count"] == 4
    })
    .await;
    let answer = user.get(&path).await.expect(200);
    assert_eq!(answer.data().len(), 1);
    assert_eq!(answer.text_at("/data/0/code"), "invalid_value");
    assert!(!answer.text.contains(&device.key), "{}", answer.text);
}
