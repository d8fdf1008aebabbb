//! Refusals name the member or parameter that is to blame, in words that help.

use crate::support::App;

#[tokio::test]
async fn well_formed_json_of_the_wrong_kind_blames_its_member() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let rule = r#"{"metric": "t", "comparator": "gt", "threshold": 1, "severity": null}"#;
    let rules = device.path("/alert-rules");
    let refused = user.post_text(&rules, rule).await;
    refused
        .problem(422, "validation_failed")
        .blames("/severity", "invalid_value");
    for (body, pointer, code) in [
        (r#"{"metric": 5, "value": 1}"#, "/metric", "invalid_metric"),
        (
            r#"{"metric": "t", "value": 1, "recorded_at": 1700000000}"#,
            "/recorded_at",
            "invalid_recorded_at",
        ),
    ] {
        let refused = device.ingest_text(body).await;
        refused
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
    for (query, parameter) in [
        ("start=foo", "start"),
        ("limit=abc", "limit"),
        ("order=up", "order"),
    ] {
        let refused = user.get(&device.path(&format!("/readings?{query}"))).await;
        refused
            .problem(422, "validation_failed")
            .blames(parameter, "invalid_value");
    }
}
