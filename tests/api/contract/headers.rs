//! Headers that keep browsers and caches from doing harm. That every answer has them is looked at with each answer of
//! the suite.

use serde_json::json;

use crate::support::{App, PASSWORD, ago, reading_at};

#[tokio::test]
async fn nothing_in_an_answer_may_run_and_swagger_ui_may() {
    let app = App::start().await;
    let user = app.user().await;
    let root = app.anonymous().at_root();
    let api = "default-src 'none'; frame-ancestors 'none'";
    for answer in [
        user.get("/devices").await,
        user.get("/nothing").await,
        root.get("/api/openapi.json").await,
        root.get("/problems").await,
    ] {
        assert_eq!(answer.header("content-security-policy"), api);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("strict-transport-security"), "");
    }
    let page = root.get("/docs/").await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"));
    // It allows no scripts within the page, so there must be none.
    assert!(!page.text.contains("<script>"), "{}", page.text);
}

#[tokio::test]
async fn over_tls_a_browser_is_to_stay_there() {
    for (url, promised) in [
        ("https://readout.example.com", "max-age=63072000"),
        ("http://readout.example.com", ""),
    ] {
        let app = App::start_with(&[("PUBLIC_URL", url.to_owned())]).await;
        for answer in [
            app.anonymous().get("/devices").await,
            app.anonymous().at_root().get("/docs/").await,
        ] {
            assert_eq!(
                answer.header("strict-transport-security"),
                promised,
                "{url}"
            );
        }
    }
}

#[tokio::test]
async fn only_what_is_meant_to_be_kept_is_kept() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let root = app.anonymous().at_root();
    let credentials = json!({"email": user.email, "password": PASSWORD});
    for (answer, expected) in [
        (user.post("/auth/sign-in", &credentials).await, "no-store"),
        (user.get("/auth/session").await, "no-store"),
        (
            user.post("/devices", &json!({"name": "a"})).await,
            "no-store",
        ),
        (user.patch(&device.path(""), &json!({})).await, "no-store"),
        (device.ingest_text(&reading_at(ago(9), 1)).await, "no-store"),
        (user.get("/nothing").await, "no-store"),
        (root.get("/health/live").await, "no-store"),
        (root.get("/metrics").await, "no-store"),
        (user.get("/devices").await, "private, no-cache"),
        (
            user.get(&device.path("/readings")).await,
            "private, no-cache",
        ),
        (user.get(&device.path("/latest")).await, "private, no-cache"),
        (root.get("/api/openapi.json").await, "public, no-cache"),
        (
            root.get("/problems/not_found").await,
            "public, max-age=3600",
        ),
        (
            root.get("/docs/swagger-ui.css").await,
            "public, max-age=3600",
        ),
    ] {
        assert_eq!(answer.header("cache-control"), expected, "{answer:?}");
    }
}
