//! `GET /devices`: pages, filters and search.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{App, Client, now, reading_at};

fn names(devices: &[Value]) -> Vec<&str> {
    devices
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect()
}

pub(super) async fn names_at(client: &Client, path: &str) -> Vec<String> {
    let found = client.get(path).await.expect(200);
    names(found.data()).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let app = App::start().await;
    let user = app.user().await;
    let all: Vec<String> = (0..120).map(|n| format!("Device {n:03}")).collect();
    for ten in all.chunks(10) {
        join_all(ten.iter().map(|name| user.device_named(name))).await;
    }
    let mut pages = Vec::new();
    let mut seen = Vec::new();
    let mut page = user.get("/devices").await.expect(200);
    loop {
        pages.push(page.data().len());
        seen.extend(page.data().clone());
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        assert!(
            page.header("link").contains(cursor),
            "{}",
            page.header("link")
        );
        page = follow(&user, page.header("link")).await;
    }
    assert_eq!(page.header("link"), "");
    assert_eq!(pages, [50, 50, 20]);
    let ids: BTreeSet<_> = seen.iter().map(|it| it["id"].to_string()).collect();
    assert_eq!(ids.len(), 120);
    let found: BTreeSet<_> = names(&seen).into_iter().map(str::to_owned).collect();
    assert_eq!(found, all.into_iter().collect());
    assert_eq!(user.all("/devices?limit=7").await, seen);
    assert_eq!(
        user.get("/devices?limit=500").await.expect(200).data(),
        &seen
    );
}

/// Goes where `Link: <…>; rel="next"` leads.
async fn follow(client: &Client, link: &str) -> crate::support::Answer {
    let (target, rest) = link
        .strip_prefix('<')
        .and_then(|link| link.split_once('>'))
        .expect("a target in angle brackets");
    assert!(rest.contains(r#"rel="next""#), "{link}");
    let path = target.find("/api/v1/").map(|at| &target[at..]);
    let path = path.expect("a target within the API");
    client.at_root().get(path).await.expect(200)
}

#[tokio::test]
async fn a_page_has_a_size_and_a_cursor_that_are_checked() {
    let app = App::start().await;
    let user = app.user().await;
    for (query, parameter, code) in [
        ("limit=0", "limit", "invalid_value"),
        ("limit=501", "limit", "invalid_value"),
        ("limit=ten", "limit", "invalid_value"),
        ("cursor=nonsense", "cursor", "invalid_value"),
        ("status=asleep", "status", "invalid_value"),
        ("page=2", "page", "unknown_parameter"),
    ] {
        let answer = user.get(&format!("/devices?{query}")).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
    for query in ["limit=1", "limit=500"] {
        user.get(&format!("/devices?{query}")).await.expect(200);
    }
}

#[tokio::test]
async fn the_link_to_the_next_page_keeps_the_filter() {
    let app = App::start().await;
    let user = app.user().await;
    for name in ["Pump 1", "Pump 2", "Fan", "Pump 3"] {
        user.device_named(name).await;
    }
    let first = user.get("/devices?search=pump&limit=2").await.expect(200);
    assert_eq!(names(first.data()), ["Pump 1", "Pump 2"]);
    let second = follow(&user, first.header("link")).await;
    assert_eq!(names(second.data()), ["Pump 3"]);
    assert!(second.body["next_cursor"].is_null());
}

#[tokio::test]
async fn a_search_takes_every_character_as_itself() {
    let app = App::start().await;
    let user = app.user().await;
    for name in [
        "100% humidity",
        "100 humidity",
        "a_b",
        "axb",
        r"c\d",
        "Äther",
    ] {
        user.device_named(name).await;
    }
    for (search, found) in [
        ("100%25", vec!["100% humidity"]),
        ("HUMIDITY", vec!["100% humidity", "100 humidity"]),
        ("a_b", vec!["a_b"]),
        ("%5C", vec![r"c\d"]),
        ("%25", vec!["100% humidity"]),
        ("_", vec!["a_b"]),
        ("ther", vec!["Äther"]),
        ("'", vec![]),
    ] {
        let path = format!("/devices?search={search}");
        assert_eq!(names_at(&user, &path).await, found, "{search}");
    }
}

#[tokio::test]
async fn a_list_can_be_narrowed_to_a_status() {
    let app = App::start().await;
    let user = app.user().await;
    let awake = user.device_named("awake").await;
    user.device_named("asleep").await;
    awake.ingest_text(&reading_at(now(), 1)).await.expect(201);
    assert_eq!(names_at(&user, "/devices?status=online").await, ["awake"]);
    assert_eq!(names_at(&user, "/devices?status=offline").await, ["asleep"]);
    assert_eq!(
        names_at(&user, "/devices?status=online&search=sleep").await,
        [""; 0]
    );
}

#[tokio::test]
async fn everyone_lists_their_own_devices() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    user.device_named("mine").await;
    other.device_named("theirs").await;
    assert_eq!(names_at(&user, "/devices").await, ["mine"]);
    assert_eq!(names_at(&other, "/devices?search=mine").await, [""; 0]);
    let body = json!({"name": "mine"});
    // A name is no key.
    user.post("/devices", &body).await.expect(201);
    assert_eq!(names_at(&user, "/devices").await, ["mine", "mine"]);
}
