//! The document, Swagger UI, and that the published file is what the program says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{App, Document, program};

#[tokio::test]
async fn the_document_is_openapi_3_1_and_names_itself() {
    let app = App::start().await;
    let root = Document::fetch(&app.anonymous()).await.root;
    assert_eq!(root["openapi"], "3.1.0");
    assert_eq!(root["info"]["title"], "Readout");
    assert!(root["info"]["version"].is_string());
    for member in ["paths", "components"] {
        assert!(root[member].is_object(), "{member}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(members) => {
                if members.get("$ref").is_some_and(Value::is_string) {
                    found.push(value);
                }
                members.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let app = App::start().await;
    let document = Document::fetch(&app.anonymous()).await;
    let mut found = Vec::new();
    references(&document.root, &mut found);
    assert!(found.len() > 20, "{}", found.len());
    for reference in found {
        document.resolve(reference);
    }
}

#[tokio::test]
async fn operations_have_ids_of_noun_and_verb_that_are_unique() {
    let app = App::start().await;
    let document = Document::fetch(&app.anonymous()).await;
    let operations = document.operations();
    let ids: Vec<_> = operations.iter().map(|it| it.id).collect();
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len());
    let nouns = [
        "user_",
        "session_",
        "api_key_",
        "signing_key_",
        "device_",
        "reading_",
        "rejection_",
        "metric_",
        "rollup_",
        "alert_rule_",
        "alert_",
        "health_",
        "problem_",
        "metrics_",
        "verification_",
    ];
    for id in &unique {
        assert!(nouns.iter().any(|noun| id.starts_with(noun)), "{id}");
    }
    for id in [
        "device_create",
        "device_list",
        "device_show",
        "device_update",
        "device_delete",
        "alert_rule_create",
        "alert_rule_list",
        "alert_rule_show",
        "alert_rule_update",
        "alert_rule_delete",
        "alert_list",
        "alert_show",
    ] {
        assert!(unique.contains(id), "{id}");
    }
}

#[tokio::test]
async fn all_ways_to_authenticate_are_documented_and_used() {
    let app = App::start().await;
    let document = Document::fetch(&app.anonymous()).await;
    let schemes = document.root["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    let named = |wanted: &dyn Fn(&Value) -> bool| {
        let found = schemes.iter().find(|(_, scheme)| wanted(scheme));
        found.map(|(name, _)| name.as_str())
    };
    let http = |it: &Value, format| {
        it["type"] == "http" && it["scheme"] == "bearer" && it["bearerFormat"] == format
    };
    let bearer = named(&|it| http(it, "JWT"));
    let api_key = named(&|it| http(it, "rpk_…")).expect("a scheme of API keys");
    let key = named(&|it| {
        let name = it["name"].as_str().unwrap_or_default();
        it["type"] == "apiKey" && it["in"] == "header" && name.eq_ignore_ascii_case("x-device-key")
    });
    let (bearer, key) = (bearer.expect("a bearer scheme"), key.expect("a key scheme"));
    for operation in document.operations() {
        let own = operation.body["security"].as_array();
        let security = own.or(document.root["security"].as_array()).unwrap();
        let schemes: Vec<_> = security
            .iter()
            .filter_map(Value::as_object)
            .flat_map(|it| it.keys())
            .collect();
        let expected = match operation.id {
            "reading_create" => vec![key],
            id if super::document_coverage::is_public(id) => vec![],
            // Only what users do with their own account is not for programs of theirs.
            _ if operation.path.starts_with("/api/v1/auth/") => vec![bearer],
            _ => vec![bearer, api_key],
        };
        assert_eq!(schemes, expected, "{}", operation.name());
    }
}

#[tokio::test]
async fn every_operation_says_what_it_takes_and_what_it_answers() {
    let app = App::start().await;
    let document = Document::fetch(&app.anonymous()).await;
    for operation in document.operations() {
        let name = operation.name();
        assert!(operation.body["summary"].is_string(), "{name}: no summary");
        assert!(
            !operation.body["tags"].as_array().unwrap().is_empty(),
            "{name}: no tag"
        );
        let responses = operation.body["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|it| it.starts_with('2')),
            "{name}: no success"
        );
        let failures: Vec<_> = responses
            .iter()
            .filter(|(status, _)| status.starts_with(['4', '5']))
            .collect();
        let is_open = super::document_coverage::is_public(operation.id);
        assert!(
            is_open || failures.iter().any(|(status, _)| status.starts_with('4')),
            "{name}: no failure"
        );
        for (status, response) in failures {
            let content = &document.resolve(response)["content"]["application/problem+json"];
            assert!(
                content["schema"].is_object(),
                "{name}: {status} is no problem"
            );
        }
        if let Some(body) = operation.body.get("requestBody") {
            let content = &document.resolve(body)["content"]["application/json"];
            assert!(
                content["schema"].is_object(),
                "{name}: no schema of the body"
            );
        }
        for parameter in operation.body["parameters"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let parameter = document.resolve(parameter);
            assert!(parameter["schema"].is_object(), "{name}: {parameter}");
        }
    }
}

#[tokio::test]
async fn a_body_of_the_document_s_own_example_is_taken() {
    let app = App::start().await;
    let user = app.user().await;
    let document = Document::fetch(&app.anonymous()).await;
    for (id, path) in [
        ("device_create", "/devices"),
        ("user_sign_up", "/auth/sign-up"),
    ] {
        let operations = document.operations();
        let operation = operations.iter().find(|it| it.id == id).unwrap();
        let content = &operation.body["requestBody"]["content"]["application/json"];
        let body = example(&document, content);
        let answer = user.post(path, &body).await;
        assert_eq!(answer.status, 201, "{body}: {}", answer.text);
    }
}

/// The example of a body, or one put together from the examples of its members.
fn example(document: &Document, content: &Value) -> Value {
    for given in [
        &content["example"],
        &document.resolve(&content["schema"])["example"],
    ] {
        if !given.is_null() {
            return given.clone();
        }
    }
    let schema = document.resolve(&content["schema"]);
    let members = schema["properties"].as_object().unwrap();
    let members = members.iter().filter_map(|(name, member)| {
        let member = document.resolve(member);
        let given = [
            &member["example"],
            &member["examples"][0],
            &member["default"],
        ];
        let given = given.into_iter().find(|it| !it.is_null());
        given.map(|value| (name.clone(), value.clone()))
    });
    members.collect()
}

#[tokio::test]
async fn the_published_file_is_what_the_program_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/openapi.json");
    let output = program(&["openapi", "--check", file], &[]).await;
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    let printed = program(&["openapi"], &[]).await;
    assert!(printed.status.success());
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let published: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(printed, published);
    let app = App::start().await;
    assert_eq!(Document::fetch(&app.anonymous()).await.root, published);
}

#[tokio::test]
async fn a_file_that_differs_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    for content in [Some("{}"), None] {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let output = program(&["openapi", "--check", file.to_str().unwrap()], &[]).await;
        assert!(!output.status.success());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("openapi.json"), "{message}");
    }
}

#[tokio::test]
async fn swagger_ui_is_served_by_the_program_itself() {
    let app = App::start().await;
    let root = app.anonymous().at_root();
    let redirect = root.get("/docs").await;
    assert!(
        [301, 302, 303, 307, 308].contains(&redirect.status),
        "{}",
        redirect.status
    );
    assert!(redirect.header("location").ends_with("/docs/"));
    let page = root.get("/docs/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    for outside in ["https://", "http://", "//cdn"] {
        assert!(
            !page.text.contains(&format!("src=\"{outside}")),
            "{}",
            page.text
        );
        assert!(
            !page.text.contains(&format!("href=\"{outside}")),
            "{}",
            page.text
        );
    }
    let script = root.get("/docs/swagger-ui-bundle.js").await.expect(200);
    assert!(script.text.len() > 100_000);
    let start = root.get("/docs/swagger-initializer.js").await.expect(200);
    assert!(start.text.contains("/api/openapi.json"), "{}", start.text);
}
