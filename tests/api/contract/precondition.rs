//! `If-Match`: an edit is made only where the thing is still what its author saw (RFC 9110, section 13.1.1).

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{App, ago, reading_at};

#[tokio::test]
async fn an_edit_of_what_has_changed_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    // The rule first, which goes with its device.
    for path in [format!("/alert-rules/{rule}"), device.path("")] {
        let seen = user.get(&path).await.expect(200);
        let tag = seen.header("etag").to_owned();
        let first = json!({"name": "First"});
        let first = user
            .with("if-match", tag.clone())
            .patch(&path, &first)
            .await;
        let first = first.expect(200);
        assert_ne!(first.header("etag"), tag);
        assert_eq!(first.body["version"], 2);

        let stale = user.with("if-match", tag.clone());
        let refused = stale.patch(&path, &json!({"name": "Second"})).await;
        let refused = refused.problem(412, "precondition_failed");
        assert!(
            refused.text_at("/detail").contains("version 2"),
            "{}",
            refused.text
        );
        stale
            .delete(&path)
            .await
            .problem(412, "precondition_failed");
        let now = user.get(&path).await.expect(200);
        assert_eq!(now.body, first.body);
        assert_eq!(now.header("etag"), first.header("etag"));

        // What changes nothing leaves the tag as it is.
        let same = user
            .patch(&path, &json!({"name": "First"}))
            .await
            .expect(200);
        assert_eq!(same.header("etag"), now.header("etag"));
        let current = user.with("if-match", now.header("etag"));
        current.delete(&path).await.expect(204);
        user.get(&path).await.problem(404, "not_found");
        // What is gone is not found, whatever is said of it.
        current.delete(&path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn readings_move_a_device_and_leave_edits_of_its_settings_alone() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let before = user.get(&device.path("")).await.expect(200);
    device.ingest_text(&reading_at(ago(1), 1)).await.expect(201);
    let after = user.get(&device.path("")).await.expect(200);
    assert_eq!(after.body["status"], "online");
    // Another answer, so another tag; and the same settings, so the same version.
    assert_ne!(after.header("etag"), before.header("etag"));
    assert_eq!(after.body["version"], before.body["version"]);
    let seen = user.with("if-match", before.header("etag"));
    let name = json!({"name": "Kettle"});
    seen.patch(&device.path(""), &name).await.expect(200);
}

#[tokio::test]
async fn of_parallel_edits_of_one_version_exactly_one_is_made() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = user.rule(&device, "gt", 100).await;
    for path in [device.path(""), format!("/alert-rules/{rule}")] {
        for round in 1..=5 {
            let tag = user.get(&path).await.expect(200).header("etag").to_owned();
            let seen = user.with("if-match", tag);
            let edits = (0..12).map(|n| {
                let (seen, path) = (seen.on(n % 2), &path);
                async move {
                    let name = json!({"name": format!("{round}.{n}")});
                    (n, seen.patch(path, &name).await)
                }
            });
            let mut winners = Vec::new();
            for (n, answer) in join_all(edits).await {
                if answer.status == 200 {
                    winners.push(n);
                } else {
                    answer.problem(412, "precondition_failed");
                }
            }
            assert_eq!(winners.len(), 1, "{winners:?}");
            let now = user.get(&path).await.expect(200);
            assert_eq!(now.body["name"], format!("{round}.{}", winners[0]));
            assert_eq!(now.body["version"], round + 1);
        }
    }
}

#[tokio::test]
async fn the_field_is_read_as_the_rfc_has_it() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let path = device.path("");
    let edit = async |name: &'static str, value: String, n: usize| {
        let body = json!({"name": format!("Name {n}")});
        user.with(name, value).patch(&path, &body).await
    };
    let tag = async || user.get(&path).await.expect(200).header("etag").to_owned();
    let version = async || user.get(&path).await.expect(200).body["version"].to_string();
    let old = tag().await;
    edit("if-match", "*".to_owned(), 1).await.expect(200);
    edit("if-match", old, 2)
        .await
        .problem(412, "precondition_failed");
    edit("if-match", tag().await, 3).await.expect(200);
    let several = format!("\"x\", {}, W/\"y\"", tag().await);
    edit("if-match", several, 4).await.expect(200);
    edit("if-match", format!("\"{}\"", version().await), 5)
        .await
        .expect(200);
    // A weak tag is equal to none, and an empty list names none.
    for value in [
        format!("W/{}", tag().await),
        "\"x\"".to_owned(),
        String::new(),
    ] {
        let refused = edit("if-match", value, 20).await;
        refused.problem(412, "precondition_failed");
    }
    for (name, blamed) in [("if-match", "If-Match"), ("if-none-match", "If-None-Match")] {
        for value in ["7", "\"7", "*, \"7\"", "W/7"] {
            let refused = edit(name, value.to_owned(), 30).await;
            let refused = refused.problem(400, "malformed_request");
            refused.blames(blamed, "invalid_value");
        }
    }
    for (value, status) in [
        ("*".to_owned(), 412),
        (tag().await, 412),
        ("\"x\"".to_owned(), 200),
    ] {
        let answer = edit("if-none-match", value.clone(), 40).await;
        assert_eq!(answer.status, status, "{value}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_removes_everything_has_to_say_what_was_seen() {
    let app = App::start().await;
    let user = app.user().await;
    let body = json!({"name": "Boiler", "tags": {"site": "north"}, "metadata": {"floor": 1}});
    let made = user.post("/devices", &body).await.expect(201);
    let path = format!("/devices/{}", made.text_at("/id"));
    for change in [
        json!({"tags": null}),
        json!({"metadata": null, "name": "x"}),
    ] {
        let refused = user.patch(&path, &change).await;
        let refused = refused.problem(428, "precondition_required");
        refused.blames("If-Match", "missing_parameter");
        let stale = user.with("if-match", "\"7\"");
        stale
            .patch(&path, &change)
            .await
            .problem(412, "precondition_failed");
    }
    let seen = user.get(&path).await.expect(200);
    assert_eq!(seen.body["tags"], json!({"site": "north"}));
    let wiped = user.with("if-match", seen.header("etag"));
    let wiped = wiped.patch(&path, &json!({"tags": null})).await.expect(200);
    assert_eq!(wiped.body["tags"], json!({}));
    let wiped = user.with("if-match", "*");
    let wiped = wiped
        .patch(&path, &json!({"metadata": null}))
        .await
        .expect(200);
    assert_eq!(wiped.body["metadata"], json!({}));
    // What names what it removes needs to say nothing.
    user.patch(&path, &json!({"tags": {"site": null}}))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_edit_by_the_version_of_a_list_is_as_good() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let listed = user.get("/devices").await.expect(200);
    let version = format!("\"{}\"", listed.data()[0]["version"]);
    let (seen, path) = (user.with("if-match", version), device.path(""));
    seen.patch(&path, &json!({"name": "a"})).await.expect(200);
    let refused = seen.patch(&path, &json!({"name": "b"})).await;
    refused.problem(412, "precondition_failed");
}
