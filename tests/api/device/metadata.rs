//! Notes of devices.

use crate::support::App;

#[tokio::test]
async fn numbers_of_metadata_come_back_as_they_were() {
    let app = App::start().await;
    let user = app.user().await;
    for number in [
        "0.1",
        "-0.30000000000000004",
        "9007199254740993.5",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "2.2250738585072014e-308",
    ] {
        let body = format!(r#"{{"name": "x", "metadata": {{"k": {number}}}}}"#);
        let made = user.post_text("/devices", &body).await.expect(201);
        let expected: f64 = number.parse().unwrap();
        assert_eq!(
            made.body["metadata"]["k"].as_f64(),
            Some(expected),
            "{number}"
        );
        let path = format!("/devices/{}", made.text_at("/id"));
        let shown = user.get(&path).await.expect(200);
        assert_eq!(
            shown.body["metadata"]["k"].as_f64(),
            Some(expected),
            "{number}"
        );
    }
}
