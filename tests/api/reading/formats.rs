//! `POST /readings` in each format.

use std::io::Write;

use chrono::{DateTime, Utc};
use reqwest::Method;

use crate::support::{Answer, App, Client, JSON, ago, batch, points, reading_at};

pub(super) const NDJSON: &str = "application/x-ndjson";
pub(super) const SENML: &str = "application/senml+json";

pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(data, 3).unwrap()
}

/// A way to pack a body.
pub(super) type Pack = fn(&[u8]) -> Vec<u8>;

/// The ways to pack a body, with their names.
pub(super) const PACKED: [(&str, Pack); 4] = [
    ("identity", <[u8]>::to_vec),
    ("gzip", gzip),
    ("GZIP", gzip),
    ("zstd", zstd),
];

pub(super) async fn post(client: &Client, path: &str, media_type: &str, body: Vec<u8>) -> Answer {
    let path = format!("/readings{path}");
    client
        .ask(Method::POST, &path, Some((media_type, body)))
        .await
}

/// The receipt's accepted and duplicates, and its errors as index and code.
#[track_caller]
fn receipt(answer: &Answer) -> (u64, u64, Vec<(u64, String)>) {
    let errors = answer.body["errors"].as_array().unwrap();
    let error = |it: &serde_json::Value| {
        let code = it["code"].as_str().unwrap().to_owned();
        (it["index"].as_u64().unwrap(), code)
    };
    (
        answer.body["accepted"].as_u64().unwrap(),
        answer.body["duplicates"].as_u64().unwrap(),
        errors.iter().map(error).collect(),
    )
}

#[tokio::test]
async fn the_same_readings_are_the_same_in_every_format_and_encoding() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let times: [DateTime<Utc>; 3] = [ago(30), ago(20), ago(10)];
    let plain: Vec<_> = times.iter().map(|at| reading_at(*at, "21.50")).collect();
    let records = times.map(|at| {
        let (seconds, micros) = (at.timestamp(), at.timestamp_subsec_micros());
        format!(r#"{{"n":"t","u":"Cel","v":21.50,"t":{seconds}.{micros:06}}}"#)
    });
    let bodies = [
        (JSON, batch(plain.clone())),
        (
            "application/json; charset=utf-8",
            format!("[{}]", plain.join(",")),
        ),
        (NDJSON, plain.join("\n")),
        (
            "application/ndjson",
            format!("\n{}\r\n\n", plain.join("\r\n \n")),
        ),
        (SENML, format!("[{}]", records.join(","))),
    ];
    let mut expected = (3, 0, vec![]);
    for (media_type, body) in bodies {
        for (encoding, pack) in PACKED {
            let client = device.with("content-encoding", encoding);
            let answer = post(&client, "", media_type, pack(body.as_bytes())).await;
            assert_eq!(
                receipt(&answer.expect(200)),
                expected,
                "{media_type} {encoding}"
            );
            expected = (0, 3, vec![]);
        }
    }
    let stored = points(
        &user
            .get(&device.path("/readings?order=asc"))
            .await
            .expect(200),
    );
    assert!(
        stored
            .iter()
            .all(|it| it.metric == "t" && it.value() == "21.50")
    );
    let stored: Vec<_> = stored.iter().map(|it| it.recorded_at).collect();
    assert_eq!(stored, times);
}

#[tokio::test]
async fn each_bad_line_is_named_and_the_good_ones_are_stored() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let long = format!(r#"{{"metric":"t","value":1}}{}"#, " ".repeat(64 * 1024));
    let lines = [
        reading_at(ago(9), 1).into_bytes(),
        b"".to_vec(),
        b"{\"metric\":".to_vec(),
        b"{\"metric\":\"\xff\",\"value\":1}".to_vec(),
        long.into_bytes(),
        b"{\"metric\":\"t\",\"value\":\"1\"}".to_vec(),
        reading_at(ago(8), 2).into_bytes(),
    ];
    let answer = post(&device, "", NDJSON, lines.join(&b'\n'))
        .await
        .expect(200);
    let malformed = "malformed_reading".to_owned();
    let expected = vec![
        (1, malformed.clone()),
        (2, malformed.clone()),
        (3, malformed),
        (4, "invalid_value".to_owned()),
    ];
    assert_eq!(receipt(&answer), (2, 0, expected));
    let nothing = post(&device, "", NDJSON, b"\n\n".to_vec())
        .await
        .expect(200);
    assert_eq!(receipt(&nothing), (0, 0, vec![]));
    let many = "7\n".repeat(10_001).into_bytes();
    let answer = post(&device, "", NDJSON, many).await;
    answer.problem(413, "payload_too_large");
}

#[tokio::test]
async fn the_packs_of_the_senml_rfc_are_read() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    // RFC 8428, section 5.1.2.
    let body = r#"[
        {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,
         "bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
        {"n":"current","t":-5,"v":1.2},
        {"n":"current","t":-4,"v":1.3},
        {"n":"current","t":-3,"v":1.4},
        {"n":"current","t":-2,"v":1.5},
        {"n":"current","t":-1,"v":1.6},
        {"n":"current","v":1.7}
    ]"#;
    let answer = post(&device, "", SENML, body.into()).await.expect(200);
    assert_eq!(receipt(&answer), (7, 0, vec![]));
    let path = device.path("/readings?metric=urn:dev:ow:10e2073a0108006:current&order=asc");
    let stored = points(&user.get(&path).await.expect(200));
    let ends = [&stored[0], &stored[5]].map(|it| (it.value(), it.recorded_at.to_rfc3339()));
    assert_eq!(ends[0], ("1.2", "2010-06-08T18:01:11.001+00:00".to_owned()));
    assert_eq!(ends[1], ("1.7", "2010-06-08T18:01:16.001+00:00".to_owned()));
    // RFC 8428, section 5.1.5, behind a record of nothing but a base name as in 5.1.7.
    let body = r#"[
        {"bn":"urn:dev:ow:10e2073a01080063:"},
        {"n":"temp","u":"Cel","v":23.1},
        {"n":"label","vs":"Machine Room"},
        {"n":"open","vb":false},
        {"n":"nfv-reader","vd":"aGkgCg"}
    ]"#;
    let answer = post(&device, "", SENML, body.into()).await.expect(200);
    let refused = [1, 2, 3].map(|index| (index, "senml_not_numeric".to_owned()));
    assert_eq!(receipt(&answer), (1, 0, refused.to_vec()));
    for (body, pointer, code) in [
        (
            r#"[{"n":"t","v":1},{"bver":11}]"#,
            "/1/bver",
            "invalid_value",
        ),
        (r#"[{"n":"t","v":1,"ct_":"60"}]"#, "/0/ct_", "unknown_field"),
        (r#"[{"bt":"now","n":"t","v":1}]"#, "/0/bt", "invalid_value"),
        (r#"{"n":"t","v":1}"#, "", "invalid_value"),
    ] {
        let answer = post(&device, "", SENML, body.into()).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
}

#[tokio::test]
async fn times_are_numbers_where_precision_says_so() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(9);
    let body = |time: &str| format!(r#"{{"metric":"t","value":1,"recorded_at":{time}}}"#);
    for (precision, unit) in [("us", 1), ("ms", 1_000), ("s", 1_000_000)] {
        let body = body(&(at.timestamp_micros() / unit).to_string()).into_bytes();
        let path = format!("?precision={precision}");
        let answer = post(&device, &path, JSON, body).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text);
        let stored: DateTime<Utc> = answer.body["recorded_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(
            stored.timestamp_micros() / unit,
            at.timestamp_micros() / unit
        );
    }
    let nanos = body(&format!("{}999", at.timestamp_micros()));
    let again = post(&device, "?precision=ns", NDJSON, nanos.into()).await;
    assert_eq!(receipt(&again.expect(200)), (0, 1, vec![]));
    for (path, time, code) in [
        ("", "1780315200", "invalid_recorded_at"),
        ("?precision=s", "1780315200.5", "invalid_recorded_at"),
        ("?precision=s", "-1", "recorded_at_too_old"),
        (
            "?precision=s",
            "99999999999999999999",
            "recorded_at_in_future",
        ),
    ] {
        let answer = post(&device, path, JSON, body(time).into()).await;
        let answer = answer.problem(422, "validation_failed");
        assert!(!path.is_empty() || answer.text.contains("precision"));
        answer.blames("/recorded_at", code);
    }
    for (path, media_type, parameter, code) in [
        ("?precision=h", JSON, "precision", "invalid_value"),
        ("?precision=", JSON, "precision", "invalid_value"),
        ("?precision=s", SENML, "precision", "invalid_combination"),
        ("?surprise=1", JSON, "surprise", "unknown_parameter"),
    ] {
        let answer = post(&device, path, media_type, b"[]".to_vec()).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
}
