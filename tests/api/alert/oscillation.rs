//! Readings that swing round a threshold, from many writers at once.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::Duration;

use super::{alerts, time_in};
use crate::support::{App, Device, Sql, User, ago, batch, reading_at};

const READINGS: i64 = 10_000;

const WRITERS: i64 = 8;

/// Fifteen a second, so that all of them lie inside the lateness window many times over.
fn at(n: i64) -> DateTime<Utc> {
    ago(700) + TimeDelta::milliseconds(50 * n)
}

/// Above the threshold for some readings, and below it for some.
fn value(n: i64) -> i64 {
    if n % 74 < 24 + n % 5 {
        101 + n % 13
    } else {
        99
    }
}

/// Looks every 50 ms whether a rule has two open alerts, until it is told to end.
async fn watch(sql: &Sql, done: &Cell<bool>) -> usize {
    let mut looks = 0;
    while !done.get() {
        let open = "select coalesce(max(count), 0) from (
            select count(*) as count from alerts where status = 'firing' group by rule_id, device_id) as open";
        let most = sql.one(open).await;
        assert!(
            ["0", "1"].contains(&most.as_str()),
            "{most} alerts are open at once"
        );
        looks += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    looks
}

#[tokio::test]
async fn many_writers_on_both_instances_end_in_what_one_in_order_does() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100, "for": "1s",
                      "keep_firing_for": "1s"});
    let plain = json!({"metric": "t", "comparator": "gt", "threshold": 100});
    let device = user.device().await;
    for rule in [&rule, &plain] {
        user.post(&device.path("/alert-rules"), rule)
            .await
            .expect(201);
    }
    let (sql, done) = (app.sql().await, Cell::new(false));
    let writers = (0..2 * WRITERS).map(|writer| {
        let device = device.on_one(usize::try_from(writer % 2).unwrap());
        async move {
            let own: Vec<i64> = (0..READINGS)
                .filter(|n| n % (2 * WRITERS) == writer)
                .collect();
            for some in own.chunks(25) {
                let body = batch(some.iter().map(|n| reading_at(at(*n), value(*n))));
                let receipt = device.ingest_text(&body).await.expect(200);
                assert_eq!(receipt.body["late"], 0);
            }
        }
    });
    let writing = async {
        join_all(writers).await;
        done.set(true);
    };
    let ((), looks) = tokio::join!(writing, watch(&sql, &done));
    assert!(looks > 5, "looked {looks} times");
    let all = alerts(&user).await;
    for rule in [&rule, &plain] {
        compare(&user, &device, rule, &all).await;
    }
}

/// The alerts of a rule are those that it would have had of the readings in order, and none overlaps with another.
async fn compare(user: &User, device: &Device, rule: &Value, all: &[Value]) {
    let preview = json!({"rule": rule, "start": ago(86_400)});
    let preview = user
        .post(&device.path("/alert-rules/preview"), &preview)
        .await
        .expect(200);
    let expected = preview.body["episodes"].as_array().unwrap();
    let rules = user.get(&device.path("/alert-rules")).await.expect(200);
    let mut rules = rules.data().iter();
    let armed = rules.find(|it| it["for"] == rule["for"]).unwrap();
    let own: Vec<&Value> = all
        .iter()
        .filter(|it| it["rule_id"] == armed["id"])
        .collect();
    assert!(own.len() > 100, "{} alerts", own.len());
    let members = [
        "triggered_at",
        "resolved_at",
        "value",
        "peak_value",
        "peak_at",
    ];
    let told = |it: &Value| members.map(|member| it[member].clone());
    let expected: Vec<_> = expected.iter().map(told).collect();
    let own_told: Vec<_> = own.iter().map(|it| told(it)).collect();
    assert_eq!(own_told, expected);
    for pair in own.windows(2) {
        assert!(time_in(pair[0], "resolved_at") <= time_in(pair[1], "triggered_at"));
    }
}
