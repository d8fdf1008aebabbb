//! Every failure is a problem (RFC 9457), whoever found it.

mod accounts;
mod codes;
mod pages;
mod parts;

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, JSON};

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let app = App::start().await;
    let user = app.user().await;
    for path in ["/nothing", "/device", "/devices/x/y/z", "/", ""] {
        let answer = user.get(path).await.problem(404, "not_found");
        assert_eq!(answer.body["instance"], format!("/api/v1{path}"));
    }
    let root = app.anonymous().at_root();
    for path in [
        "/",
        "/nothing",
        "/api",
        "/api/v2/devices",
        "/health",
        "/health/x",
        "/index.html",
    ] {
        root.get(path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_malformed_identifier_names_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    for path in [
        "/devices/7",
        "/devices/no-uuid/readings",
        "/devices/00000000-0000-0000-0000-00000000000g/latest",
        "/devices/%00",
        "/devices/%27%20or%201=1",
        "/alert-rules/x",
        "/alerts/%F0%9F%94%A5",
    ] {
        user.get(path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let app = App::start().await;
    let user = app.user().await;
    for (method, path, allowed) in [
        (Method::PUT, "/devices", vec!["GET", "POST"]),
        (Method::DELETE, "/devices", vec!["GET", "POST"]),
        (
            Method::POST,
            "/devices/0198c0de-0000-7000-8000-000000000000",
            vec!["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"],
        ),
        (Method::GET, "/readings", vec!["POST"]),
        (Method::GET, "/auth/sign-in", vec!["POST"]),
    ] {
        let answer = user.ask(method, path, None).await;
        let answer = answer.problem(405, "method_not_allowed");
        let allow: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        for method in allowed {
            assert!(allow.contains(&method), "{path}: {allow:?}");
        }
    }
    let root = app.anonymous().at_root();
    for path in ["/health/live", "/metrics", "/api/openapi.json"] {
        let answer = root.post(path, &json!({})).await;
        let answer = answer.problem(405, "method_not_allowed");
        assert!(answer.header("allow").contains("GET"));
    }
}

#[tokio::test]
async fn what_is_no_json_is_a_problem() {
    let app = App::start().await;
    let user = app.user().await;
    for body in [
        "",
        "{",
        "nonsense",
        r#"{"name": "x"} {"#,
        r#"{"name": NaN}"#,
        "\u{feff}{}",
        "{'name': 1}",
    ] {
        let answer = user.post_text("/devices", body).await;
        answer.problem(400, "malformed_json");
    }
    let no_text = Some((JSON, b"{\"name\": \"\xff\"}".to_vec()));
    let answer = user.ask(Method::POST, "/devices", no_text).await;
    answer.problem(400, "malformed_json");
    for body in ["[]", "7", "null", r#""name""#] {
        let answer = user.post_text("/devices", body).await;
        answer.problem(422, "validation_failed");
    }
    let twice = user
        .post_text("/devices", r#"{"name": "a", "name": "b"}"#)
        .await;
    twice.problem(422, "validation_failed");
}

#[tokio::test]
async fn deep_nesting_is_refused_and_harmless() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(9_000), close.repeat(9_000));
        let body = format!(r#"{{"name": "x", "metadata": {deep}}}"#);
        for status in [
            user.post_text("/devices", &body).await.status,
            device.ingest_text(&deep).await.status,
            device.ingest_text(&format!("[{deep}]")).await.status,
        ] {
            assert!([400, 422].contains(&status), "{status}");
        }
    }
    app.anonymous()
        .at_root()
        .get("/health/ready")
        .await
        .expect(200);
}

#[tokio::test]
async fn another_content_type_is_a_problem() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let body = br#"{"name": "x"}"#.to_vec();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let answer = user
            .ask(Method::POST, "/devices", Some((media_type, body.clone())))
            .await;
        answer.problem(415, "unsupported_media_type");
        let answer = user
            .ask(
                Method::PATCH,
                &device.path(""),
                Some((media_type, body.clone())),
            )
            .await;
        answer.problem(415, "unsupported_media_type");
    }
    let merge_patch = Some(("application/merge-patch+json", body.clone()));
    let answer = user.ask(Method::POST, "/devices", merge_patch).await;
    answer.problem(415, "unsupported_media_type");
    let answer = user
        .with("content-encoding", "gzip")
        .ask(Method::POST, "/devices", Some((JSON, body)))
        .await;
    answer.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_of_more_than_64_kibibytes_is_a_problem() {
    let app = App::start().await;
    let user = app.user().await;
    let padded = |length: usize| format!(r#"{}{{"name": "x"}}"#, " ".repeat(length - 13));
    let answer = user.post_text("/devices", &padded(64 * 1024 + 1)).await;
    answer.problem(413, "payload_too_large");
    user.post_text("/devices", &padded(64 * 1024))
        .await
        .expect(201);
    // One that does not say how long it is.
    let url = format!("{}/api/v1/auth/sign-in", app.servers[0].url());
    let chunks =
        futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024])));
    let request = reqwest::Client::new()
        .post(url)
        .header("content-type", JSON);
    let answer = request
        .body(reqwest::Body::wrap_stream(chunks))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_problem_in_the_end() {
    let app = App::start().await;
    let address = app.servers[0]
        .url()
        .trim_start_matches("http://")
        .to_owned();
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /api/v1/auth/sign-in HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\nconnection: close\r\n\r\n{{\"email\":"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(35), connection.read(&mut answer));
    let length = read.await.expect("an answer in time").unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test]
async fn a_request_keeps_its_identifier_if_it_is_harmless() {
    let app = App::start().await;
    let with = async |id: &str| {
        let client = app.anonymous().with("x-request-id", id);
        let answer = client.get("/devices").await.problem(401, "unauthenticated");
        answer.header("x-request-id").to_owned()
    };
    let longest = "x".repeat(128);
    for id in ["a", "My-Id_7.1", longest.as_str()] {
        assert_eq!(with(id).await, id);
    }
    let too_long = "x".repeat(129);
    for id in ["", "a b", "a\"b", "<script>", "a/b", too_long.as_str()] {
        assert_ne!(with(id).await, id);
    }
    assert_ne!(with("").await, with("").await);
    let answer = app
        .anonymous()
        .at_root()
        .with("x-request-id", "mine")
        .get("/health/live")
        .await;
    assert_eq!(answer.expect(200).header("x-request-id"), "mine");
}

#[tokio::test]
async fn a_failure_tells_nothing_of_the_inside() {
    let app = App::start().await;
    let user = app.user().await;
    let sql = app.sql().await;
    sql.run("alter table devices rename to devices_hidden")
        .await
        .unwrap();
    let answer = user.get("/devices").await.problem(500, "internal");
    for word in ["devices_hidden", "relation", "sqlx", "select", "42P01"] {
        assert!(!answer.text.contains(word), "{}", answer.text);
    }
    let id = answer.header("x-request-id");
    let logged = app.servers.iter().any(|server| {
        let log = server.log();
        log.lines()
            .any(|line| line.contains(id) && line.contains("devices"))
    });
    assert!(
        logged,
        "the cause should be in the log, with the id of the request"
    );
}

#[tokio::test]
async fn a_page_of_the_documentation_that_is_not_there_is_not_found() {
    let app = App::start().await;
    let anonymous = app.anonymous().at_root();
    anonymous
        .get("/docs/nothing.js")
        .await
        .problem(404, "not_found");
}
