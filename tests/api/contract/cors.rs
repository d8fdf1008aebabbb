//! Pages of origins that are allowed may use the API from a browser, and no others.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, App, Client};

const ALLOWED: &str = "https://app.example.com";

async fn app(origins: &str) -> App {
    App::start_with(&[("CORS_ORIGINS", origins.to_owned())]).await
}

fn allowed(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

fn varies(answer: &Answer) -> bool {
    let vary = answer.headers.get_all("vary").iter();
    vary.into_iter().any(|it| it == "Origin")
}

async fn preflight(client: &Client, path: &str, method: &str) -> Answer {
    let asking = client.with("access-control-request-method", method);
    asking.ask(Method::OPTIONS, path, None).await.expect(204)
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_sees_every_answer() {
    let app = app(&format!("http://localhost:3000, {ALLOWED}")).await;
    let user = app.user().await;
    for origin in [ALLOWED, "http://localhost:3000"] {
        let page = user.with("origin", origin);
        let answers = [
            page.get("/devices").await.expect(200),
            page.post("/devices", &json!({"name": "a"}))
                .await
                .expect(201),
            page.post("/devices", &json!({})).await.expect(422),
            page.get("/nothing").await.expect(404),
            page.ask(Method::PUT, "/devices", None).await.expect(405),
            app.anonymous()
                .with("origin", origin)
                .get("/devices")
                .await
                .expect(401),
            page.at_root().get("/api/openapi.json").await.expect(200),
        ];
        for answer in answers {
            assert_eq!(allowed(&answer), origin);
            assert!(varies(&answer));
            let exposed = answer.header("access-control-expose-headers");
            for name in [
                "ETag",
                "Link",
                "RateLimit",
                "RateLimit-Policy",
                "Retry-After",
                "X-Request-Id",
                "Idempotency-Replayed",
                "Location",
            ] {
                assert!(
                    exposed.split(", ").any(|it| it == name),
                    "{name}: {exposed}"
                );
            }
            assert_eq!(answer.header("access-control-allow-credentials"), "");
        }
    }
}

#[tokio::test]
async fn a_browser_is_told_beforehand_what_a_page_may_do() {
    let app = app(ALLOWED).await;
    let page = app.anonymous().with("origin", ALLOWED);
    for (path, method) in [
        ("/devices/0198c0de-0000-7000-8000-000000000000", "PATCH"),
        ("/readings", "POST"),
        ("/auth/sign-in", "POST"),
    ] {
        let answer = preflight(&page, path, method).await;
        assert_eq!(allowed(&answer), ALLOWED);
        assert!(varies(&answer));
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains(method)
        );
        assert!(!answer.header("access-control-max-age").is_empty());
        let names = answer.header("access-control-allow-headers");
        for name in [
            "Authorization",
            "Content-Type",
            "X-Device-Key",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
        ] {
            assert!(names.split(", ").any(|it| it == name), "{name}: {names}");
        }
    }
}

#[tokio::test]
async fn other_pages_are_told_nothing() {
    let app = app(ALLOWED).await;
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
    ] {
        let page = app.anonymous().with("origin", origin);
        for answer in [
            page.get("/devices").await,
            preflight(&page, "/devices", "POST").await,
        ] {
            assert_eq!(allowed(&answer), "", "{origin}");
            assert_eq!(answer.header("access-control-allow-methods"), "");
            assert!(varies(&answer), "{origin}");
        }
    }
    assert!(varies(&app.anonymous().get("/devices").await));
}

#[tokio::test]
async fn by_default_no_page_may_and_with_a_star_all_may() {
    let closed = App::start().await;
    let page = closed.anonymous().with("origin", ALLOWED);
    let answer = page.get("/devices").await;
    assert_eq!(allowed(&answer), "");
    assert!(!varies(&answer));
    let open = app("*").await;
    let page = open.anonymous().with("origin", ALLOWED);
    for answer in [
        page.get("/devices").await,
        preflight(&page, "/devices", "POST").await,
    ] {
        assert_eq!(allowed(&answer), "*");
        assert!(!varies(&answer));
    }
}

#[tokio::test]
async fn what_is_no_list_of_origins_is_refused_at_start() {
    for origins in [
        "app.example.com",
        "https://app.example.com/",
        "*, https://a.example",
    ] {
        let settings = [("CORS_ORIGINS", origins.to_owned())];
        let output = crate::support::program(&["serve"], &settings).await;
        assert!(!output.status.success(), "{origins}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("https://app.example.com or"), "{message}");
    }
}
