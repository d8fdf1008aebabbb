//! Sheets of devices: CSV in and out.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, User};

const CSV: &str = "text/csv";

async fn post_sheet(client: &Client, sheet: &str) -> Answer {
    let body = Some((CSV, sheet.as_bytes().to_vec()));
    client.ask(Method::POST, "/devices/bulk", body).await
}

async fn export(user: &User, query: &str) -> String {
    let client = user.with("accept", CSV);
    let sheet = client.get(&format!("/devices{query}")).await.expect(200);
    assert!(sheet.header("content-type").starts_with("text/csv"));
    assert!(
        sheet.header("vary").contains("Accept"),
        "{:?}",
        sheet.headers
    );
    sheet.text
}

/// What is provisioned of all devices.
async fn settings(user: &User) -> Vec<Value> {
    let all = user.all("/devices").await;
    let settings = |it: &Value| {
        let of = |name: &str| (name.to_owned(), it[name].clone());
        ["name", "enabled", "offline_after", "metadata", "tags"]
            .map(of)
            .into_iter()
            .collect()
    };
    all.iter().map(settings).collect()
}

const SHEET: &str = "\u{feff}name,tag:site,tags.floor,metadata,enabled,offline_after\r\n\
    \"Boiler, \"\"old\"\"\",north,-1,\"{\"\"n\"\":1.50,\"\"s\"\":\"\"=1+1\"\"}\",FALSE,5m\r\n\
    \"=HYPERLINK(\"\"x\"\")\",,@home,,,\r\n\
    '=quoted,\u{fc}ber,,,,\r\n";

#[tokio::test]
async fn a_sheet_is_provisioned_and_comes_out_as_it_went_in() {
    let app = App::start().await;
    let user = app.user().await;
    let report = post_sheet(&user, SHEET).await.expect(200);
    assert_eq!(report.body["created"], 3);
    let expected = [
        json!({"name": "Boiler, \"old\"", "enabled": false, "offline_after": "5m",
               "metadata": {"n": 1.5, "s": "=1+1"}, "tags": {"site": "north", "floor": "-1"}}),
        json!({"name": "=HYPERLINK(\"x\")", "enabled": true, "offline_after": "10m", "metadata": {},
               "tags": {"floor": "@home"}}),
        json!({"name": "=quoted", "enabled": true, "offline_after": "10m", "metadata": {},
               "tags": {"site": "\u{fc}ber"}}),
    ];
    assert_eq!(settings(&user).await, expected);

    let sheet = export(&user, "").await;
    let lines: Vec<_> = sheet.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "id,name,enabled,offline_after,metadata,tags,tag:floor,tag:site,status,last_seen_at,created_at"
    );
    assert!(lines[1].contains(",-1,north,offline,,"), "{sheet}");
    assert!(lines[2].contains("\"'=HYPERLINK(\"\"x\"\")\""), "{sheet}");
    assert!(lines[2].contains(",'@home,"), "{sheet}");
    assert!(!sheet.contains("rdk_"));

    let other = app.user().await;
    post_sheet(&other, &sheet).await.expect(200);
    assert_eq!(settings(&other).await, expected);
    assert_eq!(settings(&user).await, expected);
}

#[tokio::test]
async fn a_sheet_is_answered_with_the_key_of_each_row() {
    let app = App::start().await;
    let user = app
        .user()
        .await
        .with("accept", CSV)
        .with("idempotency-key", "sheet");
    let body = "name,tag:site\nBoiler,north\n,south\nKettle,\n";
    let report = post_sheet(&user, body).await.expect(200);
    assert_eq!(report.header("cache-control"), "no-store");
    assert!(report.header("content-type").starts_with("text/csv"));
    let lines: Vec<_> = report.text.trim_end().split("\r\n").collect();
    assert!(
        lines[0].starts_with("index,outcome,device_key,id,name,"),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("0,created,rdk_") && lines[1].contains(",Boiler,true,"));
    assert!(
        lines[2].starts_with("1,rejected,,,") && lines[2].ends_with(",name is missing"),
        "{}",
        lines[2]
    );
    assert!(lines[3].starts_with("2,created,rdk_"));
    assert_eq!(lines.len(), 4);
    let again = post_sheet(&user, body).await.expect(200);
    assert_eq!(again.text, report.text);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let key = lines[1].split(',').nth(2).unwrap();
    let reading = crate::support::reading_at(crate::support::ago(9), 1);
    let device = app.anonymous().with_key(key);
    device.post_text("/readings", &reading).await.expect(201);
    // The sheet with the keys is nothing to provision from.
    let other = app.user().await;
    let refused = post_sheet(&other, &report.text).await;
    refused
        .problem(422, "validation_failed")
        .blames("/index", "unknown_column");
}

#[tokio::test]
async fn a_sheet_of_the_wrong_columns_or_size_provisions_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    for (sheet, pointer, code) in [
        ("", "/name", "missing_column"),
        ("name", "/devices", "invalid_value"),
        ("name,site\nx,north\n", "/site", "unknown_column"),
        ("name,tag:a,tags.a\nx,1,2\n", "/tags.a", "duplicate_column"),
    ] {
        let refused = post_sheet(&user, sheet).await;
        refused
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    let many = format!("name\n{}", "x\n".repeat(1_001));
    post_sheet(&user, &many)
        .await
        .problem(413, "payload_too_large");
    let long = format!("name\n{}\n", "x".repeat(1024 * 1024));
    post_sheet(&user, &long)
        .await
        .problem(413, "payload_too_large");
    let huge = format!("name,metadata\n{},\nok,\n\"unclosed", "x".repeat(900_000));
    let report = post_sheet(&user, &huge).await.expect(200);
    assert_eq!(
        (&report.body["created"], &report.body["rejected"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(settings(&user).await.len(), 2);
}

#[tokio::test]
async fn all_devices_come_out_whatever_they_are() {
    let app = App::start().await;
    let user = app.user().await;
    for round in 0..2 {
        let devices: Vec<_> = (0..700)
            .map(|n| {
                let n = round * 700 + n;
                json!({"name": format!("d{n}"), "tags": {format!("t{}", n % 150): "x", "half": (n % 2).to_string()}})
            })
            .collect();
        user.post("/devices/bulk", &json!({"devices": devices}))
            .await
            .expect(200);
    }
    let stranger = app.user().await;
    stranger.device().await;
    let sheet = export(&user, "").await;
    let lines: Vec<_> = sheet.trim_end().split("\r\n").collect();
    assert_eq!(lines.len(), 1_401);
    assert_eq!(lines[0].matches("tag:").count(), 100);
    for (n, line) in lines[1..].iter().enumerate() {
        assert!(line.contains(&format!(",d{n},")), "{line}");
    }
    assert!(
        lines[1..]
            .iter()
            .any(|line| line.contains("\"{\"\"t99\"\":\"\"x\"\"}\""))
    );
    let half = export(&user, "?tag=half:1").await;
    assert_eq!(half.trim_end().split("\r\n").count(), 701);
    let none = export(&user, "?search=nothing").await;
    assert_eq!(
        none,
        "id,name,enabled,offline_after,metadata,tags,status,last_seen_at,created_at\r\n"
    );
    let client = user.with("accept", CSV);
    for parameter in ["limit", "cursor"] {
        let value = if parameter == "limit" {
            "5".to_owned()
        } else {
            cursor(&user).await
        };
        let refused = client.get(&format!("/devices?{parameter}={value}")).await;
        refused
            .problem(422, "validation_failed")
            .blames(parameter, "not_for_streams");
    }
    let picky = user.with("accept", "image/png");
    picky.get("/devices").await.problem(406, "not_acceptable");
}

async fn cursor(user: &User) -> String {
    let page = user.get("/devices?limit=1").await.expect(200);
    page.text_at("/next_cursor").to_owned()
}
