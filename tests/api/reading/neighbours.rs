//! What becomes of one device is nobody else's trouble, and a rule that is armed misses nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, App, Device, User, ago, batch, reading_at};

/// Posts single readings to both instances until told to stop; each must be taken.
async fn well(device: &Device, stop: &AtomicBool) -> i64 {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return n;
        }
        let body = reading_at(ago(50_000) + TimeDelta::milliseconds(n), n);
        device.ingest_text(&body).await.expect(201);
    }
    0
}

/// The same until it is refused, and answers how many were taken and how the first one was refused.
async fn until_refused(device: &Device) -> (i64, Answer) {
    for n in 0.. {
        let body = reading_at(ago(50_000) + TimeDelta::milliseconds(n), n);
        let answer = device.ingest_text(&body).await;
        if answer.status != 201 {
            return (n, answer);
        }
    }
    unreachable!("a device posts for ever")
}

/// Posts what cannot be taken, until told to stop.
async fn badly(device: &Device, stop: &AtomicBool) {
    let at = ago(50_000);
    device.ingest_text(&reading_at(at, 0)).await.expect(201);
    let half = [reading_at(at, 1), "7".to_owned(), reading_at(at, 0)];
    while !stop.load(Ordering::Relaxed) {
        let answer = device.ingest_text(&reading_at(at, 1)).await;
        answer.problem(409, "reading_conflict");
        let answer = device.ingest_text(r#"{"metric":"t","value":"wet"}"#).await;
        answer.problem(422, "validation_failed");
        let answer = device.ingest_text(&batch(half.clone())).await.expect(200);
        assert_eq!(answer.body["rejected"], 2);
        let half = batch(half.clone());
        let answer = device.post_text("/readings?atomic=true", &half).await;
        answer.problem(422, "atomic_refused");
    }
}

#[tokio::test]
async fn those_who_post_well_notice_nothing_of_others() {
    let app = App::start().await;
    let user = app.user().await;
    let devices = join_all((0..50).map(|_| user.device())).await;
    let (bad, gone) = (user.device().await, user.device().await);
    let (disabled, armed) = (user.device().await, user.device().await);
    let stop = AtomicBool::new(false);
    let changes = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        user.delete(&gone.path("")).await.expect(204);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let change = json!({"enabled": false});
        user.patch(&disabled.path(""), &change).await.expect(200);
        tokio::time::sleep(Duration::from_millis(300)).await;
        user.rule(&armed, "gt", 100_000).await;
        let breach = reading_at(ago(1), 100_001);
        armed.ingest_text(&breach).await.expect(201);
        assert_eq!(user.all("/alerts").await.len(), 1);
        tokio::time::sleep(Duration::from_millis(700)).await;
        stop.store(true, Ordering::Relaxed);
    };
    let posting = join_all(devices.iter().chain([&armed]).map(|it| well(it, &stop)));
    let (taken, (), gone_at, disabled_at, ()) = tokio::join!(
        posting,
        badly(&bad, &stop),
        until_refused(&gone),
        until_refused(&disabled),
        changes
    );
    gone_at.1.problem(401, "invalid_device_key");
    disabled_at.1.problem(403, "device_disabled");
    for instance in [0, 1] {
        let body = reading_at(ago(1), 1);
        let answer = disabled.on(instance).post_text("/readings", &body).await;
        answer.problem(403, "device_disabled");
        let answer = gone.on(instance).post_text("/readings", &body).await;
        answer.problem(401, "invalid_device_key");
    }
    let sql = app.sql().await;
    let count = async |device: &Device| {
        let sql_text = format!(
            "select count(*) from samples join series on series.id = series_id where device_id = '{}'",
            device.id
        );
        sql.one(&sql_text).await
    };
    for (device, taken) in devices.iter().zip(&taken) {
        assert_eq!(count(device).await, taken.to_string());
    }
    assert_eq!(count(&disabled).await, disabled_at.0.to_string());
    assert_eq!(count(&bad).await, "1");
    for server in &app.servers {
        assert_eq!(server.complaints(), Vec::<String>::new());
    }
}

/// Neighbours that keep both instances at work.
async fn busy(user: &User, stop: &AtomicBool) {
    let devices = join_all((0..8).map(|_| user.device())).await;
    join_all(devices.iter().map(|it| well(it, stop))).await;
}

/// Arms rules one after the other, each on a device that both instances know as unarmed, and asks for
/// the alert of the first breach at once.
async fn arm_and_breach(user: &User) {
    for n in 0..30 {
        let device = user.device().await;
        for (instance, seconds) in [(0, 90), (1, 89), (0, 80), (1, 79)] {
            let quiet = reading_at(ago(seconds), 1);
            let device = device.on(instance);
            device.post_text("/readings", &quiet).await.expect(201);
        }
        let (armed_at, posted_at, asked_at) = (n % 2, n / 2 % 2, n / 4 % 2);
        let path = device.path("/alert-rules");
        let rule =
            json!({"metric": "t", "comparator": "gt", "threshold": 100, "enabled": n % 3 != 0});
        let rule = user.on(armed_at).post(&path, &rule).await.expect(201);
        if n % 3 == 0 {
            let path = format!("/alert-rules/{}", rule.text_at("/id"));
            let change = json!({"enabled": true});
            user.on(armed_at).patch(&path, &change).await.expect(200);
        }
        let breach = match n % 5 {
            0 => batch((0..40).map(|k| reading_at(ago(60 - k), 101))),
            1 => batch((0..400).map(|k| reading_at(ago(60) + TimeDelta::milliseconds(k), 101))),
            _ => reading_at(ago(60), 101),
        };
        let answer = device.on(posted_at).post_text("/readings", &breach).await;
        assert!(answer.status < 300, "{}", answer.text);
        let path = format!("/alerts?device_id={}", device.id);
        let alerts = user.on(asked_at).get(&path).await.expect(200);
        assert_eq!(alerts.data().len(), 1, "{n}: {}", alerts.text);
        assert_eq!(alerts.data()[0]["status"], "firing");
    }
}

#[tokio::test]
async fn a_rule_judges_the_first_reading_after_it_was_armed_on_either_instance() {
    let app = App::start().await;
    let user = app.user().await;
    let stop = AtomicBool::new(false);
    let rounds = async {
        arm_and_breach(&user).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(busy(&user, &stop), rounds);
}

#[tokio::test]
async fn a_rule_that_is_armed_amid_breaches_fires_with_the_next_one() {
    let app = App::start().await;
    let user = app.user().await;
    for round in 0..8 {
        let device = user.device().await;
        let armed = AtomicBool::new(false);
        let breaches = async {
            for n in 0.. {
                // Begun after the rule was acknowledged, this one must be seen.
                let last = armed.load(Ordering::Relaxed);
                let body = reading_at(ago(5_000) + TimeDelta::milliseconds(n), 101);
                device.ingest_text(&body).await.expect(201);
                if last {
                    break;
                }
            }
        };
        let arming = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let path = device.path("/alert-rules");
            let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100});
            user.on(round % 2).post(&path, &rule).await.expect(201);
            armed.store(true, Ordering::Relaxed);
        };
        tokio::join!(breaches, arming);
        let path = format!("/alerts?device_id={}", device.id);
        let alerts = user.get(&path).await.expect(200);
        assert_eq!(alerts.data().len(), 1, "{}", alerts.text);
    }
}
