//! Tags: what a device may have, how they are patched, and devices filtered by them.

use serde_json::{Value, json};

use super::list::names_at;
use crate::support::{App, User};

async fn tagged(user: &User, name: &str, tags: Value) -> String {
    let body = json!({"name": name, "tags": tags});
    let made = user.post("/devices", &body).await.expect(201);
    assert_eq!(made.body["tags"], tags);
    made.text_at("/id").to_owned()
}

#[tokio::test]
async fn a_device_has_no_tags_unless_it_is_given_some() {
    let app = App::start().await;
    let user = app.user().await;
    let bare = user.device().await;
    let bare = user.get(&bare.path("")).await.expect(200);
    assert_eq!(bare.body["tags"], json!({}));
    let tags = json!({"site": "north", "rack.row-2_b": "Küche: links"});
    let id = tagged(&user, "Pump", tags.clone()).await;
    let shown = user.get(&format!("/devices/{id}")).await.expect(200);
    assert_eq!(shown.body["tags"], tags);
    let listed = user.get("/devices").await.expect(200);
    assert_eq!(listed.data()[1]["tags"], tags);
    let blank = json!({"name": "x", "tags": {"site": "  north "}});
    let made = user.post("/devices", &blank).await.expect(201);
    assert_eq!(made.body["tags"], json!({"site": "north"}));
}

#[tokio::test]
async fn a_patch_merges_tags() {
    let app = App::start().await;
    let user = app.user().await;
    let id = tagged(&user, "Pump", json!({"site": "north", "floor": "2"})).await;
    let path = format!("/devices/{id}");
    for (patch, after) in [
        (
            json!({"floor": "3", "line": "a"}),
            json!({"site": "north", "floor": "3", "line": "a"}),
        ),
        (
            json!({"line": null, "none": null}),
            json!({"site": "north", "floor": "3"}),
        ),
        (json!({}), json!({"site": "north", "floor": "3"})),
        (Value::Null, json!({})),
    ] {
        let sure = user.with("if-match", "*");
        let patched = sure.patch(&path, &json!({"tags": patch})).await.expect(200);
        assert_eq!(patched.body["tags"], after, "{patch}");
        assert_eq!(patched.body["name"], "Pump");
        let shown = user.get(&path).await.expect(200);
        assert_eq!(shown.body, patched.body);
    }
    user.patch(&path, &json!({"tags": {"site": "south"}}))
        .await
        .expect(200);
    let renamed = user.patch(&path, &json!({"name": "Fan"})).await.expect(200);
    assert_eq!(renamed.body["tags"], json!({"site": "south"}));
}

#[tokio::test]
async fn tags_are_refused_with_the_member_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let many = |from: usize, to: usize| -> Value {
        let tag = |n| (format!("k{n}"), json!("v"));
        (from..to)
            .map(tag)
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let id = tagged(&user, "Full", many(0, 32)).await;
    let path = format!("/devices/{id}");
    for (tags, pointer) in [
        (json!([]), "/tags"),
        (json!("site:north"), "/tags"),
        (json!({"1st": "x"}), "/tags/1st"),
        (json!({"a b": "x"}), "/tags/a b"),
        (json!({"a/b": "x"}), "/tags/a~1b"),
        (json!({"": "x"}), "/tags/"),
        (json!({"site": ""}), "/tags/site"),
        (json!({"site": 7}), "/tags/site"),
        (json!({"site": {"floor": "2"}}), "/tags/site"),
        (json!({"site": "x".repeat(129)}), "/tags/site"),
        (json!({"site": "a\u{0}b"}), "/tags/site"),
        (many(32, 65), "/tags"),
    ] {
        let body = json!({"name": "x", "tags": tags});
        // How many there are is known only with those that the device has.
        let together = if pointer == "/tags" && tags.is_object() {
            "invalid_combination"
        } else {
            "invalid_value"
        };
        for (answer, code) in [
            (user.post("/devices", &body).await, "invalid_value"),
            (user.patch(&path, &body).await, together),
        ] {
            answer
                .problem(422, "validation_failed")
                .blames(pointer, code);
        }
    }
    // Each of them would do by itself.
    let one_more = json!({"tags": {"new": "x"}});
    let answer = user.patch(&path, &one_more).await;
    answer
        .problem(422, "validation_failed")
        .blames("/tags", "invalid_combination");
    let swap = json!({"tags": {"new": "x", "k0": null}});
    user.patch(&path, &swap).await.expect(200);
    assert_eq!(names_at(&user, "/devices").await, ["Full"]);
}

#[tokio::test]
async fn devices_are_filtered_by_all_tags_that_are_named() {
    let app = App::start().await;
    let user = app.user().await;
    let other = app.user().await;
    tagged(&other, "theirs", json!({"site": "north"})).await;
    for (name, tags) in [
        ("a", json!({"site": "north", "floor": "1"})),
        ("b", json!({"site": "north", "floor": "2"})),
        (
            "c",
            json!({"site": "south", "floor": "2", "note": "100% 'x': \"y\" \\ ?"}),
        ),
        ("d", json!({"floor": "north"})),
        ("e", json!({})),
    ] {
        tagged(&user, name, tags).await;
    }
    for (query, found) in [
        ("tag=site:north", vec!["a", "b"]),
        ("tag=site:north&tag=floor:2", vec!["b"]),
        ("tag=site:north&tag=site:south", vec![]),
        ("tag=site", vec!["a", "b", "c"]),
        ("tag=site&tag=floor:2", vec!["b", "c"]),
        ("tag=floor:2&search=B", vec!["b"]),
        ("tag=site:nort", vec![]),
        ("tag=SITE:north", vec![]),
        ("tag=none", vec![]),
        ("tag=note:100%25+'x':+%22y%22+%5C+?", vec!["c"]),
        ("tag=site:+north+", vec!["a", "b"]),
        ("", vec!["a", "b", "c", "d", "e"]),
    ] {
        let path = format!("/devices?{query}");
        assert_eq!(names_at(&user, &path).await, found, "{query}");
    }
    let page = user.get("/devices?tag=site&limit=2").await.expect(200);
    assert!(
        page.header("link").contains("tag=site"),
        "{}",
        page.header("link")
    );
    let all = user.all("/devices?tag=site&limit=2").await;
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn a_filter_by_tag_that_is_none_is_refused() {
    let app = App::start().await;
    let user = app.user().await;
    let many = vec!["tag=a"; 33].join("&");
    for query in [
        "tag=",
        "tag=:north",
        "tag=site:",
        "tag=1st",
        "tag=a&tag=a+b:c",
        "tag=a:%00",
        &many,
    ] {
        for list in ["/devices?", "/rollups?metric=t&interval=1h&"] {
            let answer = user.get(&format!("{list}{query}")).await;
            answer
                .problem(422, "validation_failed")
                .blames("tag", "invalid_value");
        }
    }
}
