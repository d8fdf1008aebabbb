//! `/health/live`, `/health/ready` and `/metrics`.

use serde_json::json;

use crate::support::{App, Client, Database, Server, ago, reading_at};

#[tokio::test]
async fn a_service_with_its_database_is_live_and_ready() {
    let app = App::start().await;
    let root = app.anonymous().at_root();
    let live = root.get("/health/live").await.expect(200);
    assert_eq!(live.body["status"], "live");
    let ready = root.get("/health/ready").await.expect(200);
    assert_eq!(ready.body, json!({"status": "ready"}));
}

#[tokio::test]
async fn a_service_is_not_ready_before_the_database_is_migrated() {
    let database = Database::empty().await;
    let settings = App::settings(&database);
    let server = Server::start(&settings).await;
    let root = Client::anonymous([server.url().to_owned()].into()).at_root();
    root.get("/health/live").await.expect(200);
    let refused = root.get("/health/ready").await;
    let refused = refused.problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    assert!(refused.text.contains("migrat"), "{}", refused.text);
    migration::up(&database.direct_url()).await.unwrap();
    root.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn figures_are_told_in_the_format_of_prometheus_and_without_secrets() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    device
        .on(0)
        .post_text("/readings", &reading_at(ago(9), 1))
        .await
        .expect(201);
    let answer = app
        .anonymous()
        .on(0)
        .at_root()
        .get("/metrics")
        .await
        .expect(200);
    assert!(answer.header("content-type").starts_with("text/plain"));
    for name in [
        "readout_http_request_seconds",
        "readout_transaction_seconds",
        "readout_db_connections",
    ] {
        assert!(answer.text.contains(name), "{name}: {}", answer.text);
    }
    let route = answer
        .text
        .lines()
        .find(|line| line.contains(r#"route="/api/v1/readings""#));
    assert!(route.is_some(), "a route and not a path: {}", answer.text);
    for secret in [&device.key, &device.id, &user.email, &user.access_token] {
        assert!(!answer.text.contains(secret.as_str()));
    }
}
