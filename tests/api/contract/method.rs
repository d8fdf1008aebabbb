//! HEAD is GET without its body, and OPTIONS tells what a path has.

use reqwest::Method;

use super::{method, of_method};
use crate::support::{App, Client, Document, ago, reading_at};

/// What differs from one moment to the next.
const MOVING: [&str; 3] = ["date", "x-request-id", "content-length"];

async fn as_get(client: &Client, path: &str) {
    let (get, head) = (client.get(path).await, client.head(path).await);
    assert_eq!(head.status, get.status, "{path}");
    assert_eq!(head.text, "", "{path}");
    let names = |answer: &crate::support::Answer| {
        let all = answer.headers.iter();
        let all = all.filter(|(name, _)| !MOVING.contains(&name.as_str()));
        let mut all: Vec<_> = all
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        all.sort();
        all
    };
    assert_eq!(names(&head), names(&get), "{path}");
    if get.status != 304 && !path.contains("/metrics") && !path.contains("text/csv") {
        let length = head.header("content-length");
        assert_eq!(length, get.text.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body_everywhere() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    let document = Document::fetch(&app.anonymous()).await;
    let root = app.anonymous().at_root();
    let asking = root.with_token(&user.access_token).on(0);
    let gets = of_method(&document, "get");
    assert!(gets.len() > 15, "{}", gets.len());
    for operation in gets {
        let path = operation.path.replace("{id}", &device.id);
        let path = path.replace("{code}", "not_found");
        for client in [&asking, &root.on(0)] {
            // As it should be, without a credential, and with a parameter that is not known.
            as_get(client, &path).await;
            as_get(client, &format!("{path}?surprise=1")).await;
        }
    }
    for path in [
        "/docs/",
        "/docs",
        "/docs/index.html",
        "/api/openapi.json",
        "/nothing",
    ] {
        as_get(&root, path).await;
    }
    for coding in ["gzip", "zstd"] {
        let packed = root.with("accept-encoding", coding);
        let (get, head) = (
            packed.get("/api/openapi.json").await,
            packed.head("/api/openapi.json").await,
        );
        for name in ["content-encoding", "etag", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{coding} {name}");
        }
        assert_eq!(head.header("content-encoding"), coding);
    }
}

#[tokio::test]
async fn a_stream_is_not_read_for_its_head() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    let lines = user.with("accept", "text/csv");
    let head = lines.head(&device.path("/readings")).await.expect(200);
    assert_eq!(
        head.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        head.header("content-disposition"),
        "attachment; filename=\"readings.csv\""
    );
    // The connection is good for more.
    let client = lines.on(0);
    client.head(&device.path("/readings")).await.expect(200);
    client.get(&device.path("/readings")).await.expect(200);
}

#[tokio::test]
async fn options_tells_what_every_path_has() {
    let app = App::start().await;
    let root = app.anonymous().at_root();
    let document = Document::fetch(&app.anonymous()).await;
    for operation in document.operations() {
        let path = operation
            .path
            .replace("{id}", "0198c0de-0000-7000-8000-000000000000");
        let path = path.replace("{code}", "not_found");
        let answer = root.ask(Method::OPTIONS, &path, None).await.expect(204);
        let allow: Vec<_> = answer.header("allow").split(", ").collect();
        let mut expected = vec![operation.method.to_uppercase(), "OPTIONS".to_owned()];
        if operation.method == "get" {
            expected.push("HEAD".to_owned());
        }
        for method in &expected {
            assert!(allow.contains(&method.as_str()), "{path}: {allow:?}");
        }
        let patches = answer.header("accept-patch").contains("merge-patch+json");
        assert_eq!(patches, allow.contains(&"PATCH"), "{path}");
        // What is not among them is refused with the same list.
        for other in ["PUT", "TRACE"] {
            let refused = root.ask(method(other), &path, None).await;
            let refused = refused.problem(405, "method_not_allowed");
            assert_eq!(refused.header("allow"), answer.header("allow"), "{path}");
        }
    }
    let unknown = root.ask(Method::OPTIONS, "/nothing", None).await;
    unknown.problem(404, "not_found");
    let post = root.head("/api/v1/readings").await;
    assert_eq!((post.status, post.header("allow")), (405, "POST, OPTIONS"));
}
