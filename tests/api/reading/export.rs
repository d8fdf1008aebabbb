//! `GET /devices/{id}/readings` as CSV and as lines of JSON: any range, as a stream.

use std::fmt::Write;
use std::io::Read;

use chrono::{SecondsFormat, TimeDelta};

use crate::support::{Answer, App, Client, Device, User, ago, batch, points, reading, reading_at};

pub(super) const CSV: &str = "text/csv";
pub(super) const NDJSON: &str = "application/x-ndjson";

const HEAD: &str = "metric,recorded_at,value\r\n";

/// A body as it came, and how it is packed.
async fn packed(client: &Client, path: &str) -> (String, Vec<u8>) {
    let response = client.open(path).await;
    assert_eq!(response.status(), 200);
    let coding = response.headers().get("content-encoding");
    let coding = coding.map_or("", |it| it.to_str().unwrap()).to_owned();
    (coding, response.bytes().await.unwrap().to_vec())
}

fn unpacked(data: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(data);
    decoder.read_to_string(&mut text).unwrap();
    text
}

/// What pages of JSON have of a device, as CSV and as lines, digit by digit.
async fn by_pages(user: &User, path: &str) -> (String, String) {
    let (mut csv, mut lines) = (HEAD.to_owned(), String::new());
    let mut page = user.get(&format!("{path}&limit=500")).await.expect(200);
    loop {
        for point in points(&page) {
            let at = point
                .recorded_at
                .to_rfc3339_opts(SecondsFormat::AutoSi, true);
            let (metric, value) = (&point.metric, point.value());
            write!(csv, "{metric},{at},{value}\r\n").unwrap();
            let line = format!(r#"{{"metric":"{metric}","value":{value},"recorded_at":"{at}"}}"#);
            assert!(page.text.contains(&line), "{line}");
            lines += &(line + "\n");
        }
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            return (csv, lines);
        };
        let next = format!("{path}&limit=500&cursor={cursor}");
        page = user.get(&next).await.expect(200);
    }
}

/// Three metrics of equal times, 21,000 readings in all: some packed densely, some far from each other.
async fn fill(device: &Device) {
    let digits = [
        "0.00",
        "-7.50",
        "1234567890123456789012.345678",
        "42",
        "0.0000000000000001",
    ];
    let start = ago(40 * 86_400);
    let all: Vec<_> = (0..7_000_i64)
        .flat_map(|n| {
            let gap = if n < 100 {
                n * 3_600_000
            } else {
                400_000_000 + n * 7
            };
            let at = start + TimeDelta::milliseconds(gap);
            let value = digits[usize::try_from(n).unwrap() % digits.len()];
            ["t", "a/b:c", "Z-1"].map(|metric| reading(metric, at, value))
        })
        .collect();
    for some in all.chunks(7_000) {
        let receipt = device.ingest_text(&batch(some.iter().cloned())).await;
        assert_eq!(receipt.expect(200).body["accepted"], 7_000);
    }
}

#[tokio::test]
async fn streams_have_what_pages_have_however_much_it_is() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    fill(&device).await;
    for order in ["asc", "desc"] {
        let path = device.path(&format!("/readings?order={order}"));
        let (csv, lines) = by_pages(&user, &path).await;
        assert_eq!(lines.lines().count(), 21_000);
        for (media_type, expected) in [(CSV, csv), (NDJSON, lines)] {
            let plain = user.with("accept", media_type);
            let answer = plain.get(&path).await.expect(200);
            assert!(answer.text == expected, "{order} {media_type} differs");
            let gzip = plain.with("accept-encoding", "br;q=0.1, gzip");
            let (coding, body) = packed(&gzip, &path).await;
            assert_eq!(coding, "gzip");
            assert!(body.len() < expected.len() / 4, "{}", body.len());
            assert!(
                unpacked(&body) == expected,
                "{order} {media_type} differs, packed"
            );
        }
    }
}

#[tokio::test]
async fn streams_take_the_filters_of_pages() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = ago(100);
    let all = (0..10).flat_map(|n| {
        let at = start + TimeDelta::seconds(n);
        ["a", "b", "c"].map(|metric| reading(metric, at, n))
    });
    device.ingest_text(&batch(all)).await.expect(200);
    let at = |second| {
        let at = start + TimeDelta::seconds(second);
        at.to_rfc3339_opts(SecondsFormat::Micros, true)
    };
    for (query, count) in [
        ("metric=b".to_owned(), 10),
        ("metric=c&metric=a&order=desc".to_owned(), 20),
        (format!("start={}", at(7)), 9),
        (format!("end={}", at(3)), 9),
        (format!("start={}&end={}&order=desc", at(3), at(5)), 6),
        (format!("start={}&end={}", at(5), at(5)), 0),
        (format!("start={}&end={}", at(5), at(3)), 0),
        (
            "start=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z".to_owned(),
            30,
        ),
        ("metric=unknown".to_owned(), 0),
    ] {
        let path = device.path(&format!("/readings?{query}"));
        let (csv, lines) = by_pages(&user, &path).await;
        assert_eq!(lines.lines().count(), count, "{query}");
        let answer = user.with("accept", CSV).get(&path).await.expect(200);
        assert_eq!(answer.text, csv, "{query}");
        let answer = user.with("accept", NDJSON).get(&path).await.expect(200);
        assert_eq!(answer.text, lines, "{query}");
    }
}

#[tokio::test]
async fn a_device_without_readings_streams_none() {
    let app = App::start().await;
    let user = app.user().await;
    let path = user.device().await.path("/readings");
    let csv = user.with("accept", CSV).get(&path).await.expect(200);
    assert_eq!(csv.text, HEAD);
    let lines = user.with("accept", NDJSON).get(&path).await.expect(200);
    assert_eq!(lines.text, "");
    for (media_type, expected) in [(CSV, HEAD), (NDJSON, "")] {
        let client = user.with("accept", media_type).with("accept-encoding", "*");
        let (coding, body) = packed(&client, &path).await;
        assert_eq!(
            (coding.as_str(), unpacked(&body).as_str()),
            ("gzip", expected)
        );
    }
}

#[tokio::test]
async fn a_stream_has_what_is_ahead_of_the_clock() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for seconds in [3, -200, -500] {
        device
            .ingest_text(&reading_at(ago(seconds), seconds))
            .await
            .expect(201);
    }
    let path = device.path("/readings");
    let answer = user.with("accept", CSV).get(&path).await.expect(200);
    assert_eq!(answer.text.lines().count(), 4, "{}", answer.text);
}

#[tokio::test]
async fn streams_say_what_they_are() {
    let app = App::start().await;
    let user = app.user().await;
    let path = user.device().await.path("/readings");
    let common = |answer: &Answer| {
        assert_eq!(
            answer.header("vary"),
            "Authorization, Accept, Accept-Encoding"
        );
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    };
    for accept in [
        "*/*",
        "application/json",
        "application/*, text/csv;q=0.9",
        "",
    ] {
        let answer = user.with("accept", accept).get(&path).await.expect(200);
        assert_eq!(
            answer.header("content-type"),
            "application/json",
            "{accept}"
        );
        assert!(answer.data().is_empty());
        common(&answer);
    }
    let csv = user
        .with("accept", "text/csv, */*;q=0.1")
        .get(&path)
        .await
        .expect(200);
    assert_eq!(
        csv.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        csv.header("content-disposition"),
        r#"attachment; filename="readings.csv""#
    );
    common(&csv);
    let lines = user.with("accept", NDJSON).get(&path).await.expect(200);
    assert_eq!(lines.header("content-type"), NDJSON);
    common(&lines);
    for coding in ["gzip;q=0", "identity, gzip;q=0.5", "*;q=0", "br", ""] {
        let client = user.with("accept", CSV).with("accept-encoding", coding);
        let (packed, body) = packed(&client, &path).await;
        assert_eq!(
            (packed.as_str(), body.as_slice()),
            ("", HEAD.as_bytes()),
            "{coding}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_with_a_reason() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let path = device.path("/readings");
    for accept in [
        "text/html",
        "application/xml, text/plain",
        "*/*;q=0",
        "text/csv;q=0",
    ] {
        let answer = user.with("accept", accept).get(&path).await;
        let answer = answer.problem(406, "not_acceptable");
        for name in ["application/json", CSV, NDJSON] {
            assert!(answer.text_at("/detail").contains(name), "{}", answer.text);
        }
    }
    let csv = user.with("accept", CSV);
    for (query, parameter, code) in [
        ("limit=10", "limit", "not_for_streams"),
        (
            "cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsMV0",
            "cursor",
            "not_for_streams",
        ),
        ("limit=0", "limit", "invalid_value"),
        ("start=yesterday", "start", "invalid_value"),
        ("since=2026-01-01T00:00:00Z", "since", "unknown_parameter"),
    ] {
        let answer = csv.get(&format!("{path}?{query}")).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
    let stranger = app.user().await.with("accept", CSV);
    stranger.get(&path).await.problem(404, "not_found");
    let anonymous = app.anonymous().with("accept", "text/html");
    anonymous.get(&path).await.problem(401, "unauthenticated");
}
