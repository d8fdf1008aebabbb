//! Nothing that a client of the last release relies on has gone from the document.
//!
//! `openapi/released.json` is the document of that release, and is replaced by the current one with the next.

mod operation;
mod schema;

use operation::breaking_changes;
use serde_json::{Value, json};

const DEVICES: &str = "/paths/~1api~1v1~1devices";

fn document(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn clients_of_the_released_document_go_on_working() {
    let found = breaking_changes(&document("released.json"), &document("openapi.json"));
    assert!(
        found.is_empty(),
        "this breaks clients of the last release:\n{}",
        found.join("\n")
    );
}

/// Something that is done to a document.
type Change<'a> = &'a dyn Fn(&mut Value);

/// What is found when the current document is changed so.
fn found(change: impl Fn(&mut Value)) -> Vec<String> {
    let released = document("openapi.json");
    let mut changed = released.clone();
    change(&mut changed);
    assert_ne!(released, changed, "nothing was changed");
    breaking_changes(&released, &changed)
}

/// Each of these changes is found, in these words.
fn each_is_noticed(cases: &[(&str, Change<'_>)]) {
    for (words, change) in cases {
        let found = found(change);
        assert!(
            found.iter().any(|it| it.contains(words)),
            "{words}: {found:#?}"
        );
    }
}

fn at<'a>(document: &'a mut Value, pointer: &str) -> &'a mut Value {
    let place = document.pointer_mut(pointer);
    place.unwrap_or_else(|| panic!("{pointer} is not there"))
}

fn remove(document: &mut Value, pointer: &str, member: &str) {
    let object = at(document, pointer).as_object_mut().unwrap();
    assert!(object.remove(member).is_some(), "{pointer} has no {member}");
}

/// Takes a text out of a list, or puts it in.
fn toggle(document: &mut Value, pointer: &str, text: &str) {
    let list = at(document, pointer).as_array_mut().unwrap();
    let before = list.len();
    list.retain(|it| it != text);
    if list.len() == before {
        list.push(json!(text));
    }
}

#[test]
fn what_is_gone_is_noticed() {
    let schemas = "/components/schemas";
    let cases: [(&str, Change<'_>); 8] = [
        ("GET /api/v1/devices: is gone", &|it| {
            remove(it, DEVICES, "get");
        }),
        ("GET /api/v1/devices/{id}: is gone", &|it| {
            remove(it, "/paths", "/api/v1/devices/{id}");
        }),
        ("query parameter limit: is gone", &|it| {
            let parameters = at(it, &format!("{DEVICES}/get/parameters"));
            let parameters = parameters.as_array_mut().unwrap();
            parameters.retain(|it| it["name"] != "limit");
        }),
        ("answer 201: is gone", &|it| {
            remove(it, &format!("{DEVICES}/post/responses"), "201");
        }),
        ("application/json: is gone", &|it| {
            remove(
                it,
                &format!("{DEVICES}/post/requestBody/content"),
                "application/json",
            );
        }),
        ("/key_prefix: is gone", &|it| {
            remove(it, &format!("{schemas}/Device/properties"), "key_prefix");
        }),
        ("/offline_after: is no longer taken", &|it| {
            remove(
                it,
                &format!("{schemas}/NewDevice/properties"),
                "offline_after",
            );
        }),
        (r#"/comparator: no longer takes "gte""#, &|it| {
            toggle(it, &format!("{schemas}/Comparator/enum"), "gte");
        }),
    ];
    each_is_noticed(&cases);
}

#[test]
fn what_is_asked_for_now_is_noticed() {
    let schemas = "/components/schemas";
    let cases: [(&str, Change<'_>); 8] = [
        ("/tags: is required now", &|it| {
            toggle(it, &format!("{schemas}/NewDevice/required"), "tags");
        }),
        ("query parameter status: is required now", &|it| {
            let status = at(it, &format!("{DEVICES}/get/parameters/0/required"));
            *status = json!(true);
        }),
        ("header parameter X-New: is required now", &|it| {
            let parameters = at(it, &format!("{DEVICES}/get/parameters"));
            let new = json!({"name": "X-New", "in": "header", "required": true, "schema": {}});
            parameters.as_array_mut().unwrap().push(new);
        }),
        ("/name: has another pattern", &|it| {
            at(it, &format!("{schemas}/DisplayName"))["pattern"] = json!("^x$");
        }),
        ("/name: maxLength is 99 now", &|it| {
            at(it, &format!("{schemas}/DisplayName"))["maxLength"] = json!(99);
        }),
        ("/enabled: is string now", &|it| {
            let enabled = at(it, &format!("{schemas}/DeviceChange/properties/enabled"));
            enabled["type"] = json!("string");
        }),
        ("asks for other credentials", &|it| {
            at(it, &format!("{DEVICES}/get"))["security"] = json!([{"device_key": []}]);
        }),
        ("asks for other credentials", &|it| {
            let sign_up = at(it, "/paths/~1api~1v1~1auth~1sign-up/post");
            sign_up["security"] = json!([{"bearer": []}]);
        }),
    ];
    each_is_noticed(&cases);
}

#[test]
fn what_is_answered_otherwise_is_noticed() {
    let schemas = "/components/schemas";
    let cases: [(&str, Change<'_>); 5] = [
        ("/status: may be missing now", &|it| {
            toggle(it, &format!("{schemas}/Device/required"), "status");
        }),
        ("/enabled: is null now", &|it| {
            let enabled = at(it, &format!("{schemas}/Device/properties/enabled"));
            enabled["type"] = json!(["boolean", "null"]);
        }),
        (r#"/severity: may be "fatal" now"#, &|it| {
            toggle(it, &format!("{schemas}/Severity/enum"), "fatal");
        }),
        ("header ETag: is gone", &|it| {
            let rollups = "/paths/~1api~1v1~1rollups/get/responses/200/headers";
            remove(it, rollups, "ETag");
        }),
        ("has another operationId", &|it| {
            at(it, &format!("{DEVICES}/get"))["operationId"] = json!("device_all");
        }),
    ];
    each_is_noticed(&cases);
}

#[test]
fn what_only_adds_is_no_break() {
    let schemas = "/components/schemas";
    let cases: [Change<'_>; 6] = [
        &|it| {
            let new = it["paths"]["/api/v1/devices"].clone();
            it["paths"]["/api/v1/gadgets"] = new;
        },
        &|it| {
            let parameters = at(it, &format!("{DEVICES}/get/parameters"));
            let new = json!({"name": "new", "in": "query", "required": false, "schema": {}});
            parameters.as_array_mut().unwrap().push(new);
        },
        &|it| {
            at(it, &format!("{schemas}/NewDevice/properties"))["new"] = json!({"type": "string"});
            at(it, &format!("{schemas}/Device/properties"))["new"] = json!({"type": "string"});
            toggle(it, &format!("{schemas}/Device/required"), "new");
        },
        &|it| toggle(it, &format!("{schemas}/NewDevice/required"), "name"),
        &|it| at(it, &format!("{schemas}/Password"))["maxLength"] = json!(256),
        &|it| {
            let post = at(it, &format!("{DEVICES}/post"));
            post["security"] = json!([{"bearer": []}, {"api_key": ["devices:write"]}]);
            post["summary"] = json!("Provision one");
        },
    ];
    for change in cases {
        assert_eq!(found(change), Vec::<String>::new());
    }
}
