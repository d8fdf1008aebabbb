//! `POST /devices/bulk`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{App, Sql, User, ago, reading_at};

fn numbered(count: usize) -> Value {
    let devices: Vec<_> = (0..count)
        .map(|n| json!({"name": format!("d{n}"), "tags": {"n": n.to_string()}}))
        .collect();
    json!({"devices": devices})
}

async fn names(user: &User) -> Vec<String> {
    let all = user.all("/devices?limit=500").await;
    let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
    all.iter().map(name).collect()
}

#[tokio::test]
async fn a_thousand_devices_are_provisioned_in_their_order() {
    let app = App::start().await;
    let user = app.user().await;
    let client = user.with("idempotency-key", "sheet");
    let body = numbered(1_000);
    let report = client.post("/devices/bulk", &body).await.expect(200);
    assert_eq!(report.header("cache-control"), "no-store");
    assert_eq!(report.header("idempotency-replayed"), "");
    assert_eq!(
        (&report.body["created"], &report.body["rejected"]),
        (&json!(1_000), &json!(0))
    );
    let items = report.body["items"].as_array().unwrap();
    for (n, item) in items.iter().enumerate() {
        assert_eq!(
            (&item["index"], &item["outcome"]),
            (&json!(n), &json!("created"))
        );
        assert_eq!(item["device"]["name"], format!("d{n}"));
        assert!(item.get("errors").is_none());
    }
    let keys: BTreeSet<_> = items
        .iter()
        .map(|it| it["device_key"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 1_000);
    let expected: Vec<_> = (0..1_000).map(|n| format!("d{n}")).collect();
    assert_eq!(names(&user).await, expected);
    let path = format!("/devices/{}", items[7]["device"]["id"].as_str().unwrap());
    let shown = user.get(&path).await.expect(200);
    assert_eq!(shown.body, items[7]["device"]);
    for key in [keys.first().unwrap(), keys.last().unwrap()] {
        let device = app.anonymous().with_key(key);
        device
            .post_text("/readings", &reading_at(ago(9), 1))
            .await
            .expect(201);
    }
    let again = client.post("/devices/bulk", &body).await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.text, report.text);
    let other = client.post("/devices/bulk", &numbered(999)).await;
    other.problem(422, "idempotency_mismatch");
    assert_eq!(names(&user).await.len(), 1_000);
}

/// Devices that are rejected, each with whom to blame for what.
fn bad_devices() -> Vec<(Value, &'static str, &'static str)> {
    let many: serde_json::Map<_, _> = (0..33).map(|n| (format!("t{n}"), json!("x"))).collect();
    let named = |member: &str, value: Value| json!({"name": "x", member: value});
    vec![
        (json!({}), "/name", "missing_field"),
        (
            json!({"name": "x".repeat(100_000)}),
            "/name",
            "invalid_value",
        ),
        (named("surprise", json!(1)), "/surprise", "unknown_field"),
        (named("enabled", json!("yes")), "/enabled", "invalid_value"),
        (named("tags", json!(many)), "/tags", "invalid_value"),
        (named("tags", json!({"a": ""})), "/tags/a", "invalid_value"),
        (
            named("metadata", json!({"a": "b".repeat(5_000)})),
            "/metadata",
            "invalid_value",
        ),
        (json!([]), "", "invalid_value"),
        (json!(null), "", "invalid_value"),
    ]
}

#[tokio::test]
async fn a_bad_device_does_not_stop_the_others() {
    let app = App::start().await;
    let user = app.user().await;
    let bad = bad_devices();
    let mut devices = Vec::new();
    for (n, (device, _, _)) in bad.iter().enumerate() {
        devices.push(json!({"name": format!("good {n}")}));
        devices.push(device.clone());
    }
    let body = json!({"devices": devices});
    let report = user.post("/devices/bulk", &body).await.expect(200);
    let counts = (&report.body["created"], &report.body["rejected"]);
    assert_eq!(counts, (&json!(9), &json!(9)));
    for (n, (device, pointer, code)) in bad.iter().enumerate() {
        let item = &report.body["items"][2 * n + 1];
        assert_eq!(item["outcome"], "rejected", "{device}");
        let error = &item["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{item}"
        );
        assert!(error["detail"].as_str().unwrap().len() < 200, "{item}");
        assert!(item.get("device").is_none() && item.get("device_key").is_none());
    }
    let expected: Vec<_> = (0..9).map(|n| format!("good {n}")).collect();
    assert_eq!(names(&user).await, expected);
}

#[tokio::test]
async fn nothing_is_done_where_the_body_is_refused() {
    let app = App::start().await;
    let user = app.user().await;
    let too_many = user.post("/devices/bulk", &numbered(1_001)).await;
    too_many.problem(413, "payload_too_large");
    let too_long = json!({"devices": [{"name": "x".repeat(1024 * 1024)}]});
    user.post("/devices/bulk", &too_long)
        .await
        .problem(413, "payload_too_large");
    for (body, pointer, code) in [
        ("{}", "/devices", "missing_field"),
        (r#"{"devices": []}"#, "/devices", "invalid_value"),
        (r#"{"devices": {}}"#, "/devices", "invalid_value"),
        (
            r#"{"devices": [{"name": "a"}], "more": 1}"#,
            "/more",
            "unknown_field",
        ),
        (r#"[{"name": "a"}]"#, "", "invalid_value"),
    ] {
        let refused = user.post_text("/devices/bulk", body).await;
        refused
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    let broken = r#"{"devices": [{"name": "a"}, {"name": "#;
    user.post_text("/devices/bulk", broken)
        .await
        .problem(400, "malformed_json");
    let text = Some(("text/plain", b"name\nx\n".to_vec()));
    let refused = user.ask(reqwest::Method::POST, "/devices/bulk", text).await;
    refused.problem(415, "unsupported_media_type");
    let picky = user.with("accept", "text/html");
    picky
        .post("/devices/bulk", &numbered(1))
        .await
        .problem(406, "not_acceptable");
    assert!(names(&user).await.is_empty());
}

/// Has the database refuse all devices beyond these, as a full disk would.
async fn fill_up(sql: &Sql, devices: usize) {
    let script = format!(
        "create function full_disk() returns trigger language plpgsql as $$ begin
             if (select count(*) from devices) > {devices} then
                 raise exception 'no room' using errcode = '53100';
             end if;
             return null;
         end $$;
         create trigger full_disk after insert on devices for each statement execute function full_disk();"
    );
    sql.run(&script).await.unwrap();
}

#[tokio::test]
async fn what_was_interrupted_goes_on_where_it_was() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    fill_up(&sql, 300).await;
    let client = user.with("idempotency-key", "sheet");
    let body = numbered(1_000);
    for _ in 0..2 {
        client
            .post("/devices/bulk", &body)
            .await
            .problem(503, "unavailable");
        // The finished ones are seen.
        assert_eq!(names(&user).await.len(), 300);
    }
    let before = user.all("/devices?limit=500").await;
    sql.run("drop trigger full_disk on devices").await.unwrap();
    let report = client.post("/devices/bulk", &body).await.expect(200);
    assert_eq!(report.body["created"], 1_000);
    assert_eq!(report.header("idempotency-replayed"), "");
    assert_eq!(names(&user).await.len(), 1_000);
    for (n, device) in before.iter().enumerate() {
        assert_eq!(&report.body["items"][n]["device"], device);
    }
    for n in [0, 299, 300, 999] {
        let key = report.body["items"][n]["device_key"].as_str().unwrap();
        let device = app.anonymous().with_key(key);
        device
            .post_text("/readings", &reading_at(ago(9), 1))
            .await
            .expect(201);
    }
    // What was done in two goes is forgotten at once.
    let ages = sql
        .one("select count(distinct kept_at) from idempotency_keys")
        .await;
    assert_eq!(ages, "1");
    let again = client.post("/devices/bulk", &body).await.expect(200);
    assert_eq!(again.text, report.text);
}

#[tokio::test]
async fn without_a_key_what_was_done_before_the_interruption_is_told() {
    let app = App::start().await;
    let user = app.user().await;
    fill_up(&app.sql().await, 300).await;
    let report = user.post("/devices/bulk", &numbered(450)).await.expect(200);
    assert_eq!(
        (&report.body["created"], &report.body["rejected"]),
        (&json!(300), &json!(150))
    );
    let items = report.body["items"].as_array().unwrap();
    assert!(items[299]["device_key"].is_string());
    for (n, item) in items.iter().enumerate().skip(300) {
        assert_eq!(
            (&item["index"], &item["outcome"]),
            (&json!(n), &json!("rejected"))
        );
        assert_eq!(item["errors"][0]["code"], "not_done");
    }
    assert_eq!(names(&user).await.len(), 300);
    let none = user.post("/devices/bulk", &numbered(1)).await;
    none.problem(503, "unavailable");
}

#[tokio::test]
async fn rules_of_fleets_wait_for_devices_that_join_them() {
    let app = App::start().await;
    let user = app.user().await;
    let rule = json!({
        "metric": "t", "comparator": "gt", "threshold": 1, "selector": {"tags": {"site": "north"}},
        "no_data": {"after": "1h", "action": "alert"},
    });
    user.post("/alert-rules", &rule).await.expect(201);
    let devices: Vec<_> = ["north", "south", "north"]
        .iter()
        .map(|site| json!({"name": site, "tags": {"site": site}}))
        .collect();
    user.post("/devices/bulk", &json!({"devices": devices}))
        .await
        .expect(200);
    let sql = app.sql().await;
    let waiting = "select count(*) from alert_states where check_at is not null";
    assert_eq!(sql.one(waiting).await, "2");
    let armed = "select name from devices where armed order by id";
    assert_eq!(sql.column(armed).await, ["north", "north"]);
}
