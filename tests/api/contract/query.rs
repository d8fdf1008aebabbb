//! Query parameters that are not known are refused by name, and so are those that are given twice.

use super::method;
use crate::support::{App, Document, JSON};

#[tokio::test]
async fn every_operation_refuses_what_it_does_not_know_by_name() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let document = Document::fetch(&app.anonymous()).await;
    let root = app.anonymous().at_root();
    // Probes and scrapers send what they like.
    let all = document.operations();
    for operation in all.into_iter().filter(|it| it.path.starts_with("/api/v1/")) {
        let client = match operation.id {
            "reading_create" => root.with_key(&device.key),
            _ => root.with_token(&user.access_token),
        };
        let path = operation
            .path
            .replace("{id}", &device.id)
            .replace("{code}", "not_found");
        for query in ["surprise=1", "surprise", "%73urprise=1&surprise=2"] {
            let body = operation
                .body
                .get("requestBody")
                .map(|_| (JSON, b"{}".to_vec()));
            let name = method(&operation.method.to_uppercase());
            let refused = client.ask(name, &format!("{path}?{query}"), body).await;
            let refused = refused.problem(422, "validation_failed");
            refused.blames("surprise", "unknown_parameter");
        }
    }
    // Whoever may not come in hears of nothing else.
    let stranger = app.anonymous();
    stranger
        .get("/devices/x?surprise=1")
        .await
        .problem(401, "unauthenticated");
    user.get(&device.path("?")).await.expect(200);
    user.get(&device.path("?&")).await.expect(200);
}

#[tokio::test]
async fn what_is_single_is_given_once() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let document = Document::fetch(&app.anonymous()).await;
    let root = app.anonymous().at_root();
    let mut seen = 0;
    for operation in document.operations() {
        let client = match operation.id {
            "reading_create" => root.with_key(&device.key),
            _ => root.with_token(&user.access_token),
        };
        let parameters = operation.body["parameters"]
            .as_array()
            .into_iter()
            .flatten();
        for parameter in parameters.map(|it| document.resolve(it)) {
            let schema = document.resolve(&parameter["schema"]);
            let is_list = schema["type"] == "array" || schema["type"][0] == "array";
            if parameter["in"] != "query" || is_list {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let path = operation.path.replace("{id}", &device.id);
            let path = format!("{path}?{name}=1&{name}=1");
            let verb = method(&operation.method.to_uppercase());
            let body = operation
                .body
                .get("requestBody")
                .map(|_| (JSON, b"[]".to_vec()));
            let refused = client.ask(verb, &path, body).await;
            let refused = refused.problem(422, "validation_failed");
            let text = refused.text.clone();
            assert!(text.contains("must be given once"), "{path}: {text}");
            refused.blames(name, "invalid_value");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}
