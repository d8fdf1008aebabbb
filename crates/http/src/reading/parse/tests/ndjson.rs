//! Lines of JSON, wherever the pieces are cut.

use super::{Form, NDJSON, codes_of, now, zstd};
use crate::{
    body::Coding,
    reading::parse::{Items, ndjson::Lines, parse},
};
use domain::reading::{Intake, ReadingError};

fn codes(body: &str) -> Vec<&'static str> {
    codes_of(NDJSON, body.as_bytes())
}

#[test]
fn each_line_is_judged_for_itself() {
    let good = r#"{"metric": "t", "value": 1}"#;
    for (body, expected) in [
        (String::new(), vec![]),
        ("\n \n\t\r\n".to_owned(), vec![]),
        (good.to_owned(), vec!["ok"]),
        (format!("{good}\n"), vec!["ok"]),
        (format!("\r\n{good}\r\n\r\n{good}\r\n"), vec!["ok", "ok"]),
        (
            format!("{good}\n{{\n7\n{good} {good}\n\u{feff}{good}\n{good}"),
            vec![
                "ok",
                "malformed_reading",
                "malformed_reading",
                "malformed_reading",
                "malformed_reading",
                "ok",
            ],
        ),
        (format!("[{good}]"), vec!["malformed_reading"]),
        (r#"{"readings": []}"#.to_owned(), vec!["malformed_reading"]),
        (
            r#"{"metric": "t", "value": "1"}"#.to_owned(),
            vec!["invalid_value"],
        ),
    ] {
        assert_eq!(codes(&body), expected, "{body:?}");
    }
    let no_text = [b"{\"metric\": \"\xff\"}\n", good.as_bytes()].concat();
    assert_eq!(codes_of(NDJSON, &no_text), ["malformed_reading", "ok"]);
}

#[test]
fn a_line_has_a_greatest_length_however_it_is_packed() {
    let good = r#"{"metric": "t", "value": 1}"#;
    let padded = |length: usize| good.to_owned() + &" ".repeat(length - good.len());
    let body = [padded(65_536), padded(65_537), padded(40)].join("\n");
    assert_eq!(codes(&body), ["ok", "malformed_reading", "ok"]);
    let body = [padded(200_000), padded(65_536), padded(1_000_000)].join("\n");
    let form = Form {
        coding: Coding::Zstd,
        ..NDJSON
    };
    assert_eq!(
        codes_of(form, &zstd(body.as_bytes())),
        ["malformed_reading", "ok", "malformed_reading"]
    );
}

#[test]
fn more_lines_than_a_request_may_have_are_too_many() {
    assert_eq!(codes(&"7\n\n".repeat(10_000)).len(), 10_000);
    let problem = ["problem", "payload_too_large"];
    assert_eq!(codes(&"7\n".repeat(10_001)), problem);
    assert_eq!(codes(&format!("{}{{", "7\n".repeat(10_000))), problem);
}

#[test]
fn nothing_is_left_of_lines_that_break_off_while_they_are_inflated() {
    let body = r#"{"metric": "t", "value": 1}"#.to_owned() + "\n";
    let packed = zstd(body.repeat(1_000).as_bytes());
    let form = Form {
        coding: Coding::Zstd,
        ..NDJSON
    };
    let codes = codes_of(form, &packed[..packed.len() - 1]);
    assert_eq!(codes, ["problem", "malformed_encoding"]);
}

proptest::proptest! {
    #[test]
    fn it_does_not_matter_where_the_pieces_are_cut(
        body in "([ \n\r\t7x]|\\{\"metric\":\"t\",\"value\":1\\}\n){0,40}",
        cuts in proptest::collection::vec(0..40_usize, 0..20),
    ) {
        let whole = parse(NDJSON, body.as_bytes(), now()).unwrap();
        let (mut items, mut lines) = (Items::new(Intake::new(now(), None)), Lines::default());
        let mut rest = body.as_bytes();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            lines.feed(piece, &mut items).unwrap();
            rest = tail;
        }
        lines.feed(rest, &mut items).unwrap();
        lines.end(&mut items).unwrap();
        let code = |it: &Result<_, ReadingError>| it.as_ref().map_or_else(ReadingError::code, |_| "ok");
        let cut: Vec<_> = items.parsed.iter().map(code).collect();
        proptest::prop_assert_eq!(whole.items.iter().map(code).collect::<Vec<_>>(), cut);
    }
}
