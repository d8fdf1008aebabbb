//! In whatever order readings arrive inside the lateness window, they end in the same alerts.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{alerts, time_in};
use crate::support::{App, Device, Random, User, ago, batch, reading_at};

/// With hysteresis and both lengths of time.
fn rule() -> Value {
    json!({"metric": "t", "comparator": "gt", "threshold": 100, "clear_threshold": 95, "for": "20s",
           "keep_firing_for": "15s"})
}

/// A reading every five seconds that wanders round the thresholds.
fn readings(random: &mut Random, count: i64) -> Vec<(DateTime<Utc>, i64)> {
    let mut value = 97;
    let mut next = |n| {
        value = (value + random.below(9) - 4).clamp(88, 108);
        (ago(count * 5) + TimeDelta::seconds(5 * n), value)
    };
    (0..count).map(&mut next).collect()
}

/// Triggered, resolved, value, peak and its time of each.
type Episodes = Vec<(
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    i64,
    i64,
    DateTime<Utc>,
)>;

/// What the rule comes to, computed by looking at all readings at once.
fn expected(readings: &[(DateTime<Utc>, i64)]) -> Episodes {
    let mut episodes = Episodes::new();
    let mut place = 0;
    while place < readings.len() {
        // The first run of breaches that is long enough.
        let run = readings[place..].iter().take_while(|it| it.1 > 100).count();
        let begin = &readings[place];
        let fires = readings[place..place + run]
            .iter()
            .position(|it| it.0 - begin.0 >= TimeDelta::seconds(20));
        let Some(fires) = fires.map(|it| place + it) else {
            place += run.max(1);
            continue;
        };
        // The first run of clear ones after it that is long enough.
        let is_over = |end: &usize| {
            let clear = readings[fires..=*end]
                .iter()
                .rev()
                .take_while(|it| it.1 <= 95)
                .count();
            clear > 0 && readings[*end].0 - readings[*end + 1 - clear].0 >= TimeDelta::seconds(15)
        };
        let end = (fires..readings.len()).find(is_over);
        let last = end.unwrap_or(readings.len() - 1);
        let worst = readings[place..=last]
            .iter()
            .rev()
            .max_by_key(|it| it.1)
            .unwrap();
        let peak = readings[place..=last]
            .iter()
            .find(|it| it.1 == worst.1)
            .unwrap();
        episodes.push((
            readings[fires].0,
            end.map(|it| readings[it].0),
            readings[fires].1,
            peak.1,
            peak.0,
        ));
        place = last + 1;
    }
    episodes
}

fn told(items: &[Value]) -> Episodes {
    let resolved = |it: &Value| it["resolved_at"].as_str().map(|at| at.parse().unwrap());
    let number = |value: &Value| value.as_i64().unwrap();
    let one = |it: &Value| {
        let peak = (number(&it["peak_value"]), time_in(it, "peak_at"));
        (
            time_in(it, "triggered_at"),
            resolved(it),
            number(&it["value"]),
            peak.0,
            peak.1,
        )
    };
    items.iter().map(one).collect()
}

async fn armed(user: &User) -> Device {
    let device = user.device().await;
    user.post(&device.path("/alert-rules"), &rule())
        .await
        .expect(201);
    device
}

async fn preview(user: &User, device: &Device) -> Episodes {
    let body = json!({"rule": rule(), "start": ago(86_400)});
    let preview = user
        .post(&device.path("/alert-rules/preview"), &body)
        .await
        .expect(200);
    told(preview.body["episodes"].as_array().unwrap())
}

async fn live(user: &User, device: &Device) -> Episodes {
    let all = alerts(user).await;
    let own: Vec<Value> = all
        .into_iter()
        .filter(|it| it["device_id"] == device.id)
        .collect();
    told(&own)
}

#[tokio::test]
async fn any_order_and_any_batches_over_both_instances_end_in_the_same_alerts() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    let mut random = Random(0x00c0_ffee);
    let all = readings(&mut random, 1_500);
    let expected = expected(&all);
    assert!(expected.len() > 8, "{expected:?}");
    // In order; then shuffled so that none comes later than 9 minutes after a newer one.
    for delay in [0, 540, 540] {
        let device = armed(&user).await;
        let mut arriving = all.clone();
        arriving.sort_by_cached_key(|it| it.0 + TimeDelta::seconds(random.below(delay + 1)));
        let mut left = &arriving[..];
        while !left.is_empty() {
            let size = usize::try_from(1 + random.below(60)).unwrap();
            let (now, later) = left.split_at(size.min(left.len()));
            let body = batch(now.iter().map(|it| reading_at(it.0, it.1)));
            let receipt = device.ingest_text(&body).await.expect(200);
            assert_eq!(receipt.body["late"], 0);
            left = later;
        }
        assert_eq!(live(&user, &device).await, expected, "delay {delay}");
        assert_eq!(preview(&user, &device).await, expected);
    }
}

#[tokio::test]
async fn a_late_reading_changes_what_happened_and_the_alert_stays_the_same_one() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    user.rule(&device, "gt", 100).await;
    let post = async |seconds, value| {
        device
            .ingest_text(&reading_at(ago(seconds), value))
            .await
            .expect(201);
        alerts(&user).await
    };
    let first = post(100, 105).await;
    user.post(
        &format!("/alerts/{}/acknowledge", first[0]["id"].as_str().unwrap()),
        &json!({"note": "mine"}),
    )
    .await
    .expect(200);
    // It began earlier, and with another value.
    let earlier = post(200, 103).await;
    assert_eq!(earlier.len(), 1);
    assert_eq!(
        (&earlier[0]["id"], &earlier[0]["note"]),
        (&first[0]["id"], &json!("mine"))
    );
    assert_eq!(time_in(&earlier[0], "triggered_at"), ago(200));
    assert_eq!(
        (&earlier[0]["value"], &earlier[0]["peak_value"]),
        (&json!(103), &json!(105))
    );
    // It was over in between, so there are two.
    let two = post(150, 99).await;
    let spans: Vec<_> = two
        .iter()
        .map(|it| (time_in(it, "triggered_at"), &it["status"]))
        .collect();
    assert_eq!(
        spans,
        [(ago(200), &json!("resolved")), (ago(100), &json!("firing"))]
    );
    let open = user.get("/alerts?status=firing").await.expect(200);
    assert_eq!(open.data().len(), 1);
}

#[tokio::test]
async fn an_alert_that_should_not_have_been_goes() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 100, "for": "1m"});
    user.post(&device.path("/alert-rules"), &rule)
        .await
        .expect(201);
    let post = async |seconds, value| {
        device
            .ingest_text(&reading_at(ago(seconds), value))
            .await
            .expect(201);
        alerts(&user).await.len()
    };
    assert_eq!(post(200, 105).await, 0);
    assert_eq!(post(140, 105).await, 1);
    assert_eq!(post(170, 99).await, 0);
    assert_eq!(post(80, 101).await, 1);
    let transitions = app
        .sql()
        .await
        .one("select count(*) from alert_transitions")
        .await;
    assert_eq!(transitions, "2");
}
