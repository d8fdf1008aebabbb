//! Each format and coding: tables, agreement with the others, and bodies that mean harm.

mod agreement;
mod json;
mod ndjson;
mod senml;

use super::*;
use crate::body::Coding;

const JSON: Form = Form {
    format: Format::Json,
    coding: Coding::Identity,
    precision: None,
};

const NDJSON: Form = Form {
    format: Format::NdJson,
    ..JSON
};

const SENML: Form = Form {
    format: Format::SenMl,
    ..JSON
};

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// What became of each item, or of the whole.
fn codes_of(form: Form, body: &[u8]) -> Vec<&'static str> {
    let code = |parsed: &Parsed| parsed.as_ref().map_or_else(ReadingError::code, |_| "ok");
    match parse(form, body, now()) {
        Ok(posted) => {
            let single = (posted.shape == Shape::Single).then_some("single");
            let items = posted.items.iter().map(code);
            single.into_iter().chain(items).collect()
        }
        Err(problem) => vec!["problem", problem.kind().code()],
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(data, 1).unwrap()
}

/// `cargo test --release -p readout-http --lib nanoseconds -- --ignored --nocapture`
#[test]
#[ignore = "measures, and says nothing in a debug build"]
fn nanoseconds_of_a_reading() {
    let reading = |n: u32| {
        let (day, hour, minute, second) = (n % 28 + 1, n % 24, n % 60, n / 60 % 60);
        let at = format!("2025-06-{day:02}T{hour:02}:{minute:02}:{second:02}.{n:06}Z");
        let value = format!("{}.{:02}", n % 100, n % 97);
        format!(r#"{{"metric":"temperature","value":{value},"recorded_at":"{at}"}}"#)
    };
    let readings: Vec<_> = (0..10_000).map(reading).collect();
    let body = format!(r#"{{"readings":[{}]}}"#, readings.join(","));
    let packed = |coding, format| Form {
        format,
        coding,
        ..JSON
    };
    for (name, form, body) in [
        ("JSON", JSON, body.clone().into_bytes()),
        (
            "JSON, gzip",
            packed(Coding::Gzip, Format::Json),
            gzip(body.as_bytes()),
        ),
        (
            "JSON, zstd",
            packed(Coding::Zstd, Format::Json),
            zstd(body.as_bytes()),
        ),
        ("NDJSON", NDJSON, readings.join("\n").into_bytes()),
        (
            "NDJSON, zstd",
            packed(Coding::Zstd, Format::NdJson),
            zstd(readings.join("\n").as_bytes()),
        ),
    ] {
        let run = |_| {
            let start = std::time::Instant::now();
            let posted = parse(form, &body, now()).unwrap();
            let elapsed = start.elapsed();
            assert!(posted.items.iter().all(Result::is_ok));
            elapsed.as_nanos() / 10_000
        };
        let best = (0..50).map(run).min();
        eprintln!("{name}: {} ns a reading", best.unwrap_or_default());
    }
}

/// Small bodies that inflate to much, or that take long in some other way.
#[test]
#[ignore = "measures, and says nothing in a debug build"]
fn milliseconds_of_hostile_bodies() {
    const MEBIBYTE: usize = 1024 * 1024;
    let many = |one: Vec<u8>| one.repeat(MEBIBYTE / one.len());
    let form = |coding, format| Form {
        format,
        coding,
        ..JSON
    };
    let spaces = vec![b' '; 10 * MEBIBYTE];
    let lines = vec![b'\n'; 10 * MEBIBYTE];
    let records = format!("[{}{{}}]", r#"{"bn":"x"},"#.repeat(900_000));
    let deep = "[".repeat(MEBIBYTE);
    for (name, form, body) in [
        (
            "empty members",
            form(Coding::Gzip, Format::Json),
            many(gzip(&[])),
        ),
        (
            "empty frames",
            form(Coding::Zstd, Format::Json),
            many(zstd(&[])),
        ),
        ("spaces", form(Coding::Gzip, Format::Json), gzip(&spaces)),
        (
            "empty lines",
            form(Coding::Zstd, Format::NdJson),
            zstd(&lines),
        ),
        (
            "base records",
            form(Coding::Zstd, Format::SenMl),
            zstd(records.as_bytes()),
        ),
        ("nesting", JSON, deep.into_bytes()),
    ] {
        let start = std::time::Instant::now();
        let outcome = codes_of(form, &body);
        let outcome: Vec<_> = outcome.into_iter().take(2).collect();
        eprintln!("{name}: {} ms, {outcome:?}", start.elapsed().as_millis());
    }
}
