//! What people do with alerts: take note of them, and resolve them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{alerts, armed};
use crate::support::{App, ago, now, reading_at};

#[tokio::test]
async fn an_alert_resolved_by_hand_stays_so_and_its_rule_fires_again() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    let start = ago(600);
    device
        .ingest_text(&reading_at(start, 101))
        .await
        .expect(201);
    let first = alerts(&user).await[0].clone();
    let path = format!("/alerts/{}/resolve", first["id"].as_str().unwrap());
    let before = now();
    let resolved = user.post_text(&path, "").await.expect(200);
    assert_eq!(resolved.body["status"], "resolved");
    assert_eq!(resolved.body["resolved_reason"], "manual");
    let at = resolved.time_at("/resolved_at");
    assert!(before <= at && at <= now(), "{at}");
    let again = user.post_text(&path, "").await.expect(200);
    assert_eq!(again.body, resolved.body);

    device
        .ingest_text(&reading_at(start - TimeDelta::seconds(1), 105))
        .await
        .expect(201);
    assert_eq!(
        alerts(&user).await.len(),
        1,
        "an older reading is no new breach"
    );
    device
        .ingest_text(&reading_at(start + TimeDelta::seconds(1), 105))
        .await
        .expect(201);
    let all = alerts(&user).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], resolved.body);
    assert_eq!(
        (&all[1]["status"], &all[1]["value"]),
        (&json!("firing"), &json!(105))
    );
}

#[tokio::test]
async fn an_alert_that_ended_otherwise_cannot_be_resolved_by_hand() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    device
        .ingest_text(&reading_at(ago(60), 101))
        .await
        .expect(201);
    device
        .ingest_text(&reading_at(ago(50), 99))
        .await
        .expect(201);
    let over = alerts(&user).await[0].clone();
    let path = format!("/alerts/{}/resolve", over["id"].as_str().unwrap());
    let answer = user.post_text(&path, "").await;
    answer.problem(409, "alert_already_resolved");
    assert_eq!(alerts(&user).await, [over]);
}

#[tokio::test]
async fn whoever_takes_note_first_is_remembered_and_the_last_note_stands() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    device
        .ingest_text(&reading_at(ago(60), 101))
        .await
        .expect(201);
    let id = alerts(&user).await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/alerts/{id}/acknowledge");
    let bare = user
        .ask("POST".parse().unwrap(), &path, None)
        .await
        .expect(200);
    assert_eq!(bare.body["acknowledged_by"], *user.id);
    assert_eq!(bare.body["note"], Value::Null);
    assert_eq!(bare.body["status"], "firing");
    let first = bare.time_at("/acknowledged_at");
    for note in ["Looking into it", "Fixed"] {
        let noted = user.post(&path, &json!({"note": note})).await.expect(200);
        assert_eq!(noted.body["note"], note);
        assert_eq!(noted.time_at("/acknowledged_at"), first);
    }
    let empty = user.post(&path, &json!({})).await.expect(200);
    assert_eq!(empty.body["note"], "Fixed");
    for (body, pointer) in [
        (json!({"note": "x".repeat(1001)}), "/note"),
        (json!({"note": "\u{0}"}), "/note"),
        (json!({"note": 7}), "/note"),
    ] {
        let answer = user.post(&path, &body).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, "invalid_value");
    }
    let answer = user.post(&path, &json!({"by": "me"})).await;
    answer
        .problem(422, "validation_failed")
        .blames("/by", "unknown_field");
    device
        .ingest_text(&reading_at(ago(50), 99))
        .await
        .expect(201);
    let over = user.get(&format!("/alerts/{id}")).await.expect(200);
    assert_eq!(
        (&over.body["status"], &over.body["note"]),
        (&json!("resolved"), &json!("Fixed"))
    );
}

#[tokio::test]
async fn an_alert_may_be_noted_as_it_is_resolved() {
    let app = App::start().await;
    let (user, device, _) = armed(&app).await;
    device
        .ingest_text(&reading_at(ago(60), 101))
        .await
        .expect(201);
    let firing = alerts(&user).await[0].clone();
    let path = format!("/alerts/{}/resolve", firing["id"].as_str().unwrap());
    let wrong = user.post(&path, &json!({"surprise": 1})).await;
    wrong.problem(422, "validation_failed");
    assert_eq!(alerts(&user).await[0], firing);
    for note in ["Valve mended", "Valve mended, and tested"] {
        let noted = user.post(&path, &json!({"note": note})).await.expect(200);
        assert_eq!(noted.body["resolved_reason"], "manual");
        assert_eq!(noted.body["note"], note);
        assert!(noted.body["acknowledged_at"].is_string());
    }
}
