//! `ETag` and `If-None-Match`: what a client has already is not sent again.

use serde_json::json;

use super::of_method;
use crate::support::{App, Document, ago, reading_at};

#[tokio::test]
async fn everything_that_is_read_has_a_tag_and_is_not_sent_twice() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    device
        .ingest_text(&reading_at(ago(9), 101))
        .await
        .expect(201);
    let alerts = user.get("/alerts").await.expect(200);
    let alert = alerts.text_at("/data/0/id").to_owned();
    let document = Document::fetch(&app.anonymous()).await;
    let root = app.anonymous().at_root().with_token(&user.access_token);
    let mut seen = 0;
    for operation in of_method(&document, "get") {
        let documented = &operation.body["responses"]["304"];
        if !documented.is_object() {
            continue;
        }
        if operation.path.starts_with("/problems") {
            // Of everybody: see `problem::pages`.
            continue;
        }
        let id = match operation.path {
            path if path.contains("/alert-rules/{id}") => &rule,
            path if path.contains("/alerts/{id}") => &alert,
            _ => &device.id,
        };
        let query = match operation.id {
            "rollup_show" => "?metric=t&interval=1d",
            "rollup_list" => "?metric=t&interval=1d&search=",
            _ => "",
        };
        let path = format!("{}{query}", operation.path.replace("{id}", id));
        let first = root.get(&path).await.expect(200);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 30, "{path}: {tag}");
        assert_eq!(first.header("cache-control"), "private, no-cache", "{path}");
        assert!(first.header("vary").contains("Authorization"), "{path}");
        for instance in [0, 1] {
            let known = root.on(instance).with("if-none-match", tag.clone());
            let again = known.get(&path).await.expect(304);
            assert_eq!(
                (again.header("etag"), again.text.as_str()),
                (tag.as_str(), "")
            );
            assert_eq!(again.header("vary"), first.header("vary"));
        }
        let other = root.with("if-match", "\"other\"").get(&path).await;
        other.problem(412, "precondition_failed");
        seen += 1;
    }
    assert!(seen >= 15, "{seen}");
}

#[tokio::test]
async fn what_is_made_or_edited_has_the_tag_that_it_is_read_with() {
    let app = App::start().await;
    let user = app.user().await;
    let made = user
        .post("/devices", &json!({"name": "Boiler"}))
        .await
        .expect(201);
    let device = made
        .header("location")
        .strip_prefix("/api/v1")
        .unwrap()
        .to_owned();
    assert_eq!(device, format!("/devices/{}", made.text_at("/id")));
    let rule = json!({"metric": "t", "comparator": "gt", "threshold": 1});
    let rule_made = user
        .post(&format!("{device}/alert-rules"), &rule)
        .await
        .expect(201);
    let rule = rule_made
        .header("location")
        .strip_prefix("/api/v1")
        .unwrap()
        .to_owned();
    for (path, made) in [(device, made), (rule, rule_made)] {
        let read = user.get(&path).await.expect(200);
        assert_eq!(read.header("etag"), made.header("etag"), "{path}");
        let edited = user
            .patch(&path, &json!({"name": "Other"}))
            .await
            .expect(200);
        assert_ne!(edited.header("etag"), made.header("etag"), "{path}");
        let read = user.get(&path).await.expect(200);
        assert_eq!(read.header("etag"), edited.header("etag"), "{path}");
    }
}
