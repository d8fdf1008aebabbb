//! The three shapes of plain JSON, and times that are numbers.

use super::{JSON, codes_of, now};
use crate::reading::parse::{Form, parse};
use domain::reading::Precision;

fn codes(body: &str) -> Vec<&'static str> {
    codes_of(JSON, body.as_bytes())
}

#[test]
fn the_three_shapes_are_told_apart() {
    assert_eq!(codes(r#"{"metric": "t", "value": 1}"#), ["single", "ok"]);
    assert_eq!(
        codes(r#"{"readings": [{"metric": "t", "value": 1}]}"#),
        ["ok"]
    );
    assert_eq!(
        codes(r#" [{"metric": "t", "value": 1}, {"metric": "t", "value": 2}] "#),
        ["ok", "ok"]
    );
    assert_eq!(codes("[]"), Vec::<&str>::new());
}

#[test]
fn items_are_refused_one_by_one() {
    let items = [
        (r#"{"metric": "t", "value": 1}"#, "ok"),
        (r#"{"metric": "t"}"#, "missing_field"),
        (r#"{"metric": null, "value": 1}"#, "missing_field"),
        (r#"{"metric": "1t", "value": 1}"#, "invalid_metric"),
        (r#"{"metric": "t", "value": "1"}"#, "invalid_value"),
        (r#"{"metric": "t", "value": null}"#, "missing_field"),
        (r#"{"metric": "t", "value": 1e400}"#, "invalid_value"),
        (
            r#"{"metric": "t", "value": 1, "recorded_at": "yesterday"}"#,
            "invalid_recorded_at",
        ),
        (
            r#"{"metric": "t", "value": 1, "recorded_at": 17}"#,
            "invalid_recorded_at",
        ),
        (r#"{"metric": 5, "value": 1}"#, "invalid_metric"),
        (
            r#"{"metric": "t", "value": 1, "unit": "C"}"#,
            "malformed_reading",
        ),
        (
            r#"{"metric": "t", "value": 1, "metric": null}"#,
            "malformed_reading",
        ),
        (r#"{"metric": "\ud800", "value": 1}"#, "invalid_metric"),
        (r#"{"\ud800": "t", "value": 1}"#, "malformed_reading"),
        ("1e400", "malformed_reading"),
        ("7", "malformed_reading"),
        ("[]", "malformed_reading"),
        (r#"["t", 1, null]"#, "malformed_reading"),
        (r#"{"metric": "\u0074", "value": 1}"#, "ok"),
    ];
    let body = format!("[{}]", items.map(|(item, _)| item).join(","));
    assert_eq!(codes(&body), items.map(|(_, code)| code));
}

#[test]
fn broken_bodies_fail_as_a_whole() {
    for body in [
        "",
        "{",
        "[{\"metric\": \"t\", \"value\": 1}",
        "[1,]",
        "NaN",
        "\u{feff}[]",
        "[] []",
    ] {
        assert_eq!(codes(body), ["problem", "malformed_json"], "{body}");
    }
    assert_eq!(
        codes(r#"{"readings": [], "x": 1}"#),
        ["problem", "validation_failed"]
    );
    assert_eq!(
        codes(r#"{"readings": null}"#),
        ["problem", "validation_failed"]
    );
    assert_eq!(
        codes(r#"{"readings": {}}"#),
        ["problem", "validation_failed"]
    );
    let many = format!("[{}]", vec!["0"; 10_001].join(","));
    assert_eq!(codes(&many), ["problem", "payload_too_large"]);
}

#[test]
fn what_is_broken_far_behind_leaves_nothing() {
    let good = r#"{"metric": "t", "value": 1}"#;
    for body in [
        format!("[{good},{{]"),
        format!("[{good},{good}] x"),
        format!(r#"{{"readings": [{good}], "x": nul}}"#),
        format!(r#"{{"readings": [{good}]"#),
    ] {
        assert_eq!(codes(&body), ["problem", "malformed_json"], "{body}");
    }
    let broken = [b"[".as_slice(), good.as_bytes(), b",\"\xff\"]"].concat();
    assert_eq!(codes_of(JSON, &broken), ["problem", "malformed_json"]);
}

#[test]
fn a_number_is_a_time_where_precision_tells_its_unit() {
    let time = |precision, text: &str| {
        let form = Form { precision, ..JSON };
        let body = format!(r#"{{"metric": "t", "value": 1, "recorded_at": {text}}}"#);
        let posted = parse(form, body.as_bytes(), now()).unwrap();
        let reading = posted.items.into_iter().next().unwrap();
        let time = reading.map(|reading| reading.recorded_at.to_rfc3339());
        time.map_err(|error| error.code())
    };
    let noon = Ok("2025-06-01T12:00:00+00:00".to_owned());
    for (precision, text) in [
        (Precision::Seconds, "1748779200"),
        (Precision::Millis, "1748779200000"),
        (Precision::Micros, "1748779200000000"),
        (Precision::Nanos, "1748779200000000999"),
        (Precision::Nanos, r#""2025-06-01T12:00:00Z""#),
    ] {
        assert_eq!(time(Some(precision), text), noon, "{text}");
    }
    for (text, code) in [
        ("1748779200.0", "invalid_recorded_at"),
        ("1.7487792e9", "invalid_recorded_at"),
        ("true", "invalid_recorded_at"),
        ("[1]", "invalid_recorded_at"),
        (r#""1748779200""#, "invalid_recorded_at"),
        ("-1", "recorded_at_too_old"),
        ("0", "recorded_at_too_old"),
        ("1748779200000", "recorded_at_in_future"),
        ("99999999999999999999", "recorded_at_in_future"),
    ] {
        assert_eq!(time(Some(Precision::Seconds), text), Err(code), "{text}");
    }
    assert_eq!(time(None, "1748779200"), Err("invalid_recorded_at"));
    assert_eq!(
        time(Some(Precision::Seconds), "null"),
        Ok(now().to_rfc3339())
    );
}
