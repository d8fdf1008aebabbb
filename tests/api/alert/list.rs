//! `GET /alerts`: order, filters and pages.

use chrono::TimeDelta;
use serde_json::Value;

use super::{armed, time_in};
use crate::support::{App, ago, batch, reading_at};

fn ids(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|it| it["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn alerts_come_latest_triggered_first_page_by_page() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    let start = ago(1000);
    let values = (0..30).map(|n| if n % 2 == 0 { 101 } else { 99 });
    let all = (0..).map(|n| start + TimeDelta::seconds(n)).zip(values);
    let body = batch(all.map(|(at, value)| reading_at(at, value)));
    device.ingest_text(&body).await.expect(200);
    let whole = user.get("/alerts").await.expect(200);
    let times: Vec<_> = whole
        .data()
        .iter()
        .map(|it| time_in(it, "triggered_at"))
        .collect();
    assert_eq!(times.len(), 15);
    assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
    assert_eq!(&user.all("/alerts?limit=4").await, whole.data());
    let page = user.get("/alerts?limit=4").await.expect(200);
    assert!(page.header("link").contains(page.text_at("/next_cursor")));
}

#[tokio::test]
async fn alerts_can_be_narrowed_to_a_status_a_device_or_a_rule() {
    let app = App::start().await;
    let (user, device, rule) = armed(&app).await;
    let higher = user.rule(&device, "gt", 110).await;
    let other = user.device().await;
    user.rule(&other, "gt", 100).await;
    for device in [&device, &other] {
        device
            .ingest_text(&reading_at(ago(60), 120))
            .await
            .expect(201);
    }
    device
        .ingest_text(&reading_at(ago(50), 105))
        .await
        .expect(201);
    let found = async |query: &str| {
        let answer = user.get(&format!("/alerts?{query}")).await.expect(200);
        answer.data().clone()
    };
    let all = found("").await;
    assert_eq!(all.len(), 3);
    let (firing, resolved) = (found("status=firing").await, found("status=resolved").await);
    assert_eq!((firing.len(), resolved.len()), (2, 1));
    assert_eq!(resolved[0]["rule_id"], *higher);
    let of_device = found(&format!("device_id={}", device.id)).await;
    assert_eq!(of_device.len(), 2);
    let of_rule = found(&format!(
        "rule_id={rule}&status=firing&device_id={}",
        device.id
    ))
    .await;
    assert_eq!(of_rule.len(), 1);
    assert!(ids(&firing).contains(&ids(&of_rule)[0]));
    assert!(
        found(&format!("rule_id={rule}&status=resolved"))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_question_for_alerts_is_refused_with_the_parameter_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    for (query, parameter, code) in [
        ("status=open", "status", "invalid_value"),
        ("device_id=7", "device_id", "invalid_value"),
        ("rule_id=7", "rule_id", "invalid_value"),
        ("limit=0", "limit", "invalid_value"),
        ("cursor=x", "cursor", "invalid_value"),
        ("severity=info", "severity", "unknown_parameter"),
    ] {
        let answer = user.get(&format!("/alerts?{query}")).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
}
