//! The same readings in each format and coding, and anything at all in each of them.

use super::{Coding, Form, Format, JSON, NDJSON, Parsed, SENML, gzip, now, parse, zstd};
use domain::reading::Precision;
use proptest::prelude::*;

const CODINGS: [Coding; 3] = [Coding::Identity, Coding::Gzip, Coding::Zstd];

fn pack(coding: Coding, data: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Identity => data.to_vec(),
        Coding::Gzip => gzip(data),
        Coding::Zstd => zstd(data),
    }
}

fn items(form: Form, coding: Coding, body: &str) -> Vec<Parsed> {
    let form = Form { coding, ..form };
    let packed = pack(coding, body.as_bytes());
    parse(form, &packed, now()).unwrap().items
}

#[test]
fn what_was_refused_is_shown_as_it_was_sent() {
    let body = r#"[
        {"metric": "t", "value": "first"},
        {"metric": "t", "value": "last"},
        {"metric": "t", "value": 1},
        {"metric": "9"}
    ]"#;
    let posted = parse(JSON, body.as_bytes(), now()).unwrap();
    let samples: Vec<_> = posted.samples.iter().collect();
    assert_eq!(
        samples,
        [
            ("invalid_value", r#"{"metric": "t", "value": "last"}"#),
            ("invalid_metric", r#"{"metric": "9"}"#),
        ]
    );
    let alone = parse(JSON, br#" {"metric": 7, "value": 1} "#, now()).unwrap();
    let sample = alone.samples.iter().next();
    assert_eq!(
        sample,
        Some(("invalid_metric", r#"{"metric": 7, "value": 1}"#))
    );
    let line = parse(NDJSON, b"{\n\xff", now()).unwrap();
    let sample = line.samples.iter().next();
    assert_eq!(sample, Some(("malformed_reading", "\u{fffd}")));
}

proptest! {
    #[test]
    fn the_same_readings_are_the_same_in_every_form(
        readings in prop::collection::vec(("[a-z]{1,3}|9", -999_999..999_999_i64, 0..3_u32, 0..500_000_000_i64), 0..20),
    ) {
        let (mut plain, mut records) = (Vec::new(), Vec::new());
        for (metric, mantissa, scale, seconds) in readings {
            let value = format!("{mantissa}e-{scale}");
            let at = now() - chrono::TimeDelta::seconds(seconds);
            let (text, t) = (at.to_rfc3339(), at.timestamp());
            plain.push(format!(r#"{{"recorded_at":"{text}","metric":"{metric}","value":{value}}}"#));
            records.push(format!(r#"{{"n":"{metric}","u":"Cel","v":{value},"t":{t}}}"#));
        }
        let list = format!("[{}]", plain.join(","));
        let object = format!("{{\"readings\" : {list} }}");
        let lines = plain.join("\n");
        let pack = format!("[{}]", records.join(",\n"));
        let expected = items(JSON, Coding::Identity, &list);
        for coding in CODINGS {
            prop_assert_eq!(&items(JSON, coding, &list), &expected);
            prop_assert_eq!(&items(JSON, coding, &object), &expected);
            prop_assert_eq!(&items(NDJSON, coding, &lines), &expected);
            prop_assert_eq!(&items(SENML, coding, &pack), &expected);
        }
    }

    #[test]
    fn never_panics(
        bytes: Vec<u8>,
        text in "[\\[\\]{}\":,0-9.e+ntvb_sr\n -]{0,64}",
        format in prop::sample::select(vec![Format::Json, Format::NdJson, Format::SenMl]),
        precision in prop::sample::select(vec![None, Some(Precision::Seconds), Some(Precision::Nanos)]),
    ) {
        for coding in CODINGS {
            let form = Form { format, coding, precision };
            let _ = parse(form, &bytes, now());
            let _ = parse(form, &pack(coding, &bytes), now());
            let _ = parse(form, &pack(coding, text.as_bytes()), now());
        }
    }

    #[test]
    fn never_panics_on_records_and_readings(
        label in "b?[nvts]|bver|u|v[sbd]|x_|metric|value|recorded_at",
        other in "b?[nvts]|metric|value|recorded_at|readings",
        value in "-?[0-9]{1,30}(\\.[0-9]{1,30})?(e-?[0-9]{1,4})?|\"[ -!#-~]{0,8}\"|null|true|\\[\\]",
        precision in prop::sample::select(vec![None, Some(Precision::Millis)]),
    ) {
        let body = format!(r#"[{{"{label}":{value},"{other}":{value}}},{{"n":"t","v":1,"t":-1}}]"#);
        for format in [Format::Json, Format::NdJson, Format::SenMl] {
            let form = Form { format, precision, ..JSON };
            let _ = parse(form, body.as_bytes(), now());
            let _ = parse(form, body.trim_matches(['[', ']']).as_bytes(), now());
        }
    }
}
