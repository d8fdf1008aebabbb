//! Every digit of a value is kept, on the way in, in the database and on the way out.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use crate::support::{App, Point, ago, batch, points, reading_at};

/// What is sent, and what it is in plain digits.
const NUMBERS: [(&str, &str); 19] = [
    ("0", "0"),
    ("-0", "0"),
    ("0.0", "0.0"),
    ("1.50", "1.50"),
    ("-0.001", "-0.001"),
    ("74.93588199999998", "74.93588199999998"),
    ("0.1", "0.1"),
    ("9007199254740993", "9007199254740993"),
    (
        "123456789.1234567890123456789",
        "123456789.1234567890123456789",
    ),
    (
        "9999999999999999999999999999",
        "9999999999999999999999999999",
    ),
    (
        "-9999999999999999999999999999",
        "-9999999999999999999999999999",
    ),
    (
        "0.0000000000000000000000000001",
        "0.0000000000000000000000000001",
    ),
    (
        "0.9999999999999999999999999999",
        "0.9999999999999999999999999999",
    ),
    ("1e3", "1000"),
    ("1E+3", "1000"),
    ("1.5e-3", "0.0015"),
    ("-2.50e1", "-25.0"),
    ("1e27", "1000000000000000000000000000"),
    ("1e-28", "0.0000000000000000000000000001"),
];

/// More than can be kept exactly.
const TOO_PRECISE: [&str; 8] = [
    "10000000000000000000000000000",
    "1.0000000000000000000000000001",
    "0.00000000000000000000000000001",
    "1e28",
    "1e-29",
    "1e400",
    "-1e999999999999",
    "12345678901234567890123456789012345678901234567890",
];

#[tokio::test]
async fn what_went_in_comes_out_digit_by_digit() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = ago(3600);
    let (mut sent, mut plain) = (Vec::new(), Vec::new());
    for (second, (text, digits)) in (0..).zip(NUMBERS) {
        sent.push(reading_at(start + TimeDelta::seconds(second), text));
        plain.push(digits);
    }
    // Half of them alone, so that both ways in are seen.
    let (alone, together) = sent.split_at(9);
    for (reading, digits) in alone.iter().zip(&plain) {
        let answer = device.ingest_text(reading).await.expect(201);
        assert!(
            answer.text.contains(&format!(r#""value":{digits},"#))
                || answer.text.contains(&format!(r#""value":{digits}}}"#)),
            "{}",
            answer.text
        );
    }
    let receipt = device
        .ingest_text(&batch(together.to_vec()))
        .await
        .expect(200);
    assert_eq!(receipt.body["accepted"], 10, "{}", receipt.text);

    let listed = points(&user.get(&device.path("/readings")).await.expect(200));
    let listed: Vec<_> = listed.iter().map(Point::value).collect();
    assert_eq!(listed, plain);
    let stored = app
        .sql()
        .await
        .column("select value::text from samples order by recorded_at")
        .await;
    let numbers = |texts: &[&str]| -> Vec<Decimal> {
        texts
            .iter()
            .map(|text| Decimal::from_str_exact(text).unwrap())
            .collect()
    };
    let stored: Vec<&str> = stored.iter().map(String::as_str).collect();
    assert_eq!(numbers(&stored), numbers(&plain));
}

#[tokio::test]
async fn what_cannot_be_kept_exactly_is_refused_and_never_rounded() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for text in TOO_PRECISE {
        let answer = device.ingest_text(&reading_at(ago(5), text)).await;
        let answer = answer.problem(422, "validation_failed");
        answer.blames("/value", "invalid_value");
    }
    let all = (0..)
        .zip(TOO_PRECISE)
        .map(|(n, text)| reading_at(ago(n), text));
    let answer = device.ingest_text(&batch(all)).await;
    let answer = answer.problem(422, "no_usable_reading");
    assert_eq!(answer.body["rejected"], TOO_PRECISE.len());
    let stored = app.sql().await.one("select count(*) from samples").await;
    assert_eq!(stored, "0");
}
