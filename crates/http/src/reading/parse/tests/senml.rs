//! SenML Packs, with the examples of RFC 8428.

use super::{SENML, codes_of, now};
use crate::reading::parse::parse;

fn codes(body: &str) -> Vec<&'static str> {
    codes_of(SENML, body.as_bytes())
}

/// Metric, value and time of each reading, or the code of its refusal.
fn resolved(body: &str) -> Vec<String> {
    let posted = parse(SENML, body.as_bytes(), now()).unwrap();
    let words = posted.items.into_iter().map(|item| match item {
        Ok(it) => format!(
            "{} {} {}",
            it.metric.as_str(),
            it.value,
            it.recorded_at.format("%FT%T%.f")
        ),
        Err(error) => error.code().to_owned(),
    });
    words.collect()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // Section 5.1.1.
    let body = r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#;
    assert_eq!(
        resolved(body),
        ["urn:dev:ow:10e2073a01080063 23.1 2026-01-01T00:00:00"]
    );
    // Section 5.1.2, the second one.
    let body = r#"[
        {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,
         "bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
        {"n":"current","t":-5,"v":1.2},
        {"n":"current","t":-4,"v":1.3},
        {"n":"current","v":1.7}
    ]"#;
    assert_eq!(
        resolved(body),
        [
            "urn:dev:ow:10e2073a0108006:voltage 120.1 2010-06-08T18:01:16.001",
            "urn:dev:ow:10e2073a0108006:current 1.2 2010-06-08T18:01:11.001",
            "urn:dev:ow:10e2073a0108006:current 1.3 2010-06-08T18:01:12.001",
            "urn:dev:ow:10e2073a0108006:current 1.7 2010-06-08T18:01:16.001",
        ]
    );
    // Section 5.1.5: what is no number is refused by its place.
    let body = r#"[
        {"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
        {"n":"label","vs":"Machine Room"},
        {"n":"open","vb":false},
        {"n":"nfv-reader","vd":"aGkgCg"}
    ]"#;
    let refused = "senml_not_numeric";
    assert_eq!(codes(body), ["ok", refused, refused, refused]);
    // Section 5.1.6: names that begin with a digit are SenML and no metrics.
    let body = r#"[
        {"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},
        {"bn":"x:2001:db8::1/","n":"humidity","u":"%RH","v":67}
    ]"#;
    assert_eq!(
        resolved(body),
        [
            "invalid_metric",
            "x:2001:db8::1/humidity 67 2011-10-31T16:27:09"
        ]
    );
    // Section 5.1.7: the first record has a base name and measures nothing.
    let body = r#"[
        {"bn":"urn:dev:ow:10e2073a01080063:"},
        {"n":"temp","u":"Cel","v":23.1},
        {"n":"heat","u":"/","v":1}
    ]"#;
    assert_eq!(codes(body), ["ok", "ok"]);
}

#[test]
fn the_resolved_data_of_the_rfc_is_that_of_the_unresolved() {
    // Sections 5.1.3 and 5.1.4, shortened.
    let bases = r#"[
        {"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
        {"u":"lon","v":24.30621},
        {"t":60,"v":20.3},
        {"u":"%EL","t":150,"v":98}
    ]"#;
    let plain = r#"[
        {"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067464e+09,"v":20},
        {"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067464e+09,"v":24.30621},
        {"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067524e+09,"v":20.3},
        {"n":"urn:dev:ow:10e2073a01080063","u":"%EL","t":1.320067614e+09,"v":98}
    ]"#;
    assert_eq!(resolved(bases), resolved(plain));
}

#[test]
fn bases_hold_until_the_next_of_their_kind() {
    let body = r#"[
        {"bn":"a","bv":10,"v":1},
        {"v":2.50},
        {"bn":"b","v":3},
        {"bv":-1e-1,"n":"c","v":0.1},
        {"bv":0,"bn":"","n":"d","v":4}
    ]"#;
    let words: Vec<_> = resolved(body)
        .iter()
        .map(|it| it.rsplit_once(' ').unwrap().0.to_owned())
        .collect();
    assert_eq!(words, ["a 11", "a 12.50", "b 13", "bc 0.0", "d 4"]);
}

#[test]
fn records_are_refused_one_by_one() {
    for (record, code) in [
        (r#"{"n":"t","v":1,"x":1,"ut":5,"s":3}"#, "ok"),
        (r#"{"n":"t","s":3}"#, "senml_not_numeric"),
        (r#"{"n":"t"}"#, "senml_not_numeric"),
        ("{}", "senml_not_numeric"),
        (r#"{"n":"t","v":1,"vb":true}"#, "senml_not_numeric"),
        (r#"{"bn":"x","t":1}"#, "senml_not_numeric"),
        (r#"{"n":"t","v":"1"}"#, "invalid_value"),
        (r#"{"n":"t","v":null}"#, "invalid_value"),
        (r#"{"n":"t","v":1e400}"#, "invalid_value"),
        (r#"{"n":5,"v":1}"#, "invalid_metric"),
        (r#"{"v":1}"#, "invalid_metric"),
        (r#"{"n":"t","t":"now","v":1}"#, "invalid_recorded_at"),
        (r#"{"n":"t","t":1e300,"v":1}"#, "invalid_recorded_at"),
        (r#"{"n":"t","t":601,"v":1}"#, "recorded_at_in_future"),
        (r#"{"n":"t","t":268435456,"v":1}"#, "recorded_at_too_old"),
        (r#"{"n":"t","v":1,"v":2}"#, "malformed_reading"),
        ("7", "malformed_reading"),
        ("[1]", "malformed_reading"),
    ] {
        let body = format!(r#"[{record},{{"n":"t","v":1}}]"#);
        assert_eq!(codes(&body)[0], code, "{record}");
        assert_eq!(codes(&format!("[{record}]")), [code], "{record}");
    }
    assert_eq!(codes("[]"), Vec::<&str>::new());
}

#[test]
fn a_pack_that_cannot_be_understood_is_refused_as_a_whole() {
    for (record, pointer) in [
        (r#"{"bver":11,"n":"t","v":1}"#, "1/bver"),
        (r#"{"bver":0}"#, "1/bver"),
        (r#"{"bver":10.5}"#, "1/bver"),
        (r#"{"bver":"10"}"#, "1/bver"),
        (r#"{"bver":5}"#, "1/bver"),
        (r#"{"n":"t","v":1,"ct_":"60"}"#, "1/ct_"),
        (r#"{"a/b_":1}"#, "1/a~1b_"),
        (r#"{"bn":5}"#, "1/bn"),
        (r#"{"bt":"0"}"#, "1/bt"),
        (r#"{"bv":1e99}"#, "1/bv"),
        (r#"{"bv":1,"bv":2}"#, "1/bv"),
    ] {
        let body = format!(r#"[{{"n":"t","v":1}},{record},7]"#);
        let problem = parse(SENML, body.as_bytes(), now())
            .unwrap_err()
            .to_string();
        let expected = format!("validation_failed: {pointer} ");
        assert!(problem.starts_with(&expected), "{problem}");
        // What is no JSON in the end is told as such.
        assert_eq!(
            codes(&body[..body.len() - 1]),
            ["problem", "malformed_json"]
        );
    }
    assert_eq!(codes(r#"[{"n":"t","v":1},{"bver":10}]"#), ["ok"]);
    for body in ["{}", r#"{"n":"t","v":1}"#, "7", "null"] {
        assert_eq!(codes(body), ["problem", "validation_failed"], "{body}");
    }
    let many = format!("[{}]", vec![r#"{"bn":"t"},{"v":1}"#; 10_001].join(","));
    assert_eq!(codes(&many), ["problem", "payload_too_large"]);
    assert_eq!(codes(&many.replacen(r#"{"v":1},"#, "", 1)).len(), 10_000);
}
