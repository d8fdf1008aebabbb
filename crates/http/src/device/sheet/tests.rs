//! What goes into a sheet comes out of it, and the other way round.

use super::{Columns, Row, Writer, read};
use crate::problem::FieldError;
use domain::device::NewDevice;
use proptest::prelude::*;
use serde_json::{Value, json};

fn items(text: &str) -> Vec<Result<NewDevice, FieldError>> {
    read(text.as_bytes(), 1_000).unwrap()
}

/// The members of a device that was read.
fn members(device: &NewDevice) -> Value {
    json!({
        "name": device.name, "enabled": device.enabled, "offline_after": device.offline_after,
        "metadata": device.metadata, "tags": device.tags,
    })
}

fn blame(text: &str) -> String {
    let items = items(text);
    let [Err(error)] = &items[..] else {
        panic!("{items:?}")
    };
    error.blame()
}

/// The sheet of devices with these members.
fn sheet(devices: &[Value], columns: Option<Columns>) -> String {
    let row = |device: &Value| {
        let mut device = device.clone();
        device["id"] = json!("0192f0a1-7c1e-7b7a-9f0e-3b8a52a1c9d4");
        device["status"] = json!("offline");
        device["last_seen_at"] = Value::Null;
        device["created_at"] = json!("2026-01-31T12:00:00Z");
        serde_json::from_value(device).unwrap()
    };
    let rows: Vec<Row> = devices.iter().map(row).collect();
    let columns = columns.unwrap_or_else(|| Columns::of(rows.iter()));
    let mut writer = Writer::default();
    writer.row(&columns.head()).unwrap();
    for row in rows {
        writer.row(&columns.cells(row)).unwrap();
    }
    String::from_utf8(writer.into_bytes().unwrap()).unwrap()
}

#[test]
fn a_sheet_of_any_spreadsheet_is_read() {
    let expected = json!({
        "name": "Boiler, \"old\"", "enabled": false, "offline_after": "5m",
        "metadata": {"floor": 1}, "tags": {"site": "north", "k": "v"},
    });
    for text in [
        "name,enabled,offline_after,metadata,tag:site,tags\r\n\"Boiler, \"\"old\"\"\",FALSE,5m,\"{\"\"floor\"\":1}\",north,\"{\"\"k\"\":\"\"v\"\"}\"\r\n",
        "\u{feff}name , tags.site,tag:k,enabled,metadata,offline_after,,\n\"Boiler, \"\"old\"\"\", north ,v,false,\"{ \"\"floor\"\" : 1 }\",5m,,\n\n,,,,,\n",
    ] {
        let items = items(text);
        let [Ok(device)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(members(device), expected);
    }
}

#[test]
fn an_empty_cell_is_the_default() {
    for text in [
        "name\nx",
        "name,enabled,offline_after,metadata,tag:a,tags,id\nx,,,,,,",
        "name,tag:a\nx",
    ] {
        let items = items(text);
        let device = items[0].as_ref().unwrap();
        let default: NewDevice = serde_json::from_value(json!({"name": "x"})).unwrap();
        assert_eq!(members(device), members(&default));
    }
}

#[test]
fn a_row_is_refused_by_itself() {
    for (row, words) in [
        (",true", "name is missing"),
        ("x,maybe", "enabled must be true or false"),
        ("x,,soon", "offline_after must be a whole number"),
        ("x,,,nonsense", "metadata must be a JSON object"),
        ("x,,,[1]", "metadata must be a JSON object"),
        ("x,,,,,[]", "tags must be a JSON object"),
        (
            "x,,,,north,\"{\"\"site\"\":\"\"south\"\"}\"",
            "tags/site is there twice",
        ),
        (
            "x,,,,,\"{\"\"1\"\":\"\"a\"\"}\"",
            "must be named by a letter",
        ),
        ("x,,,,,,more", "has a cell where no column is named"),
    ] {
        let sheet = format!("name,enabled,offline_after,metadata,tag:site,tags\n{row}\n");
        assert!(blame(&sheet).contains(words), "{row}: {}", blame(&sheet));
    }
    let latin = read(b"name,tag:a\nM\xfcller,b\ny,", 9).unwrap();
    assert_eq!(
        latin[0].as_ref().unwrap_err().blame(),
        "name must be in UTF-8"
    );
    assert!(latin[1].is_ok());
}

#[test]
fn a_sheet_with_other_columns_is_refused_as_a_whole() {
    for (head, words) in [
        ("\"\"", "name is missing"),
        ("enabled", "name is missing"),
        ("name,surprise", "surprise is not a column"),
        ("name,device_key", "device_key is not a column"),
        ("name;enabled", "with commas between"),
        ("name,tag:", "tag: is not a column"),
        ("name,tag:1", "tag:1 is not a column"),
        ("name,name", "name is there twice"),
        ("name,tag:a,tags.a", "tags.a is there twice"),
        ("n\0ame", "is not a column"),
    ] {
        let problem = read(format!("{head}\nx,y\n").as_bytes(), 9).unwrap_err();
        assert!(problem.to_string().contains(words), "{head}: {problem}");
    }
}

#[test]
fn no_more_is_read_than_may_be_and_one() {
    assert_eq!(read("name\nx\n\ny\nz\nw".as_bytes(), 2).unwrap().len(), 3);
}

#[test]
fn tags_without_a_column_are_told_together() {
    let device = json!({
        "name": "x", "enabled": true, "offline_after": "10m", "metadata": {}, "tags": {"a": "1", "b": "2", "c": "3"},
    });
    let columns = Columns::new(["b".to_owned()]);
    let text = sheet(std::slice::from_ref(&device), Some(columns));
    assert!(text.starts_with("id,name,enabled,offline_after,metadata,tags,tag:b,status"));
    assert!(
        text.contains(r#""{""a"":""1"",""c"":""3""}",2,offline"#),
        "{text}"
    );
    assert_eq!(members(items(&text)[0].as_ref().unwrap()), device);
}

/// Any device, as JSON.
fn device() -> impl Strategy<Value = Value> {
    let text =
        "['=+@\\-]{0,2}[ -~é\u{4e2d}😀]{1,20}".prop_filter("blank", |it| !it.trim().is_empty());
    let scalar = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[\\t\\r\\n,\"']{0,5}".prop_map(Value::from),
    ];
    let metadata = prop::collection::btree_map("\\PC{0,8}", scalar, 0..4);
    let tags = prop::collection::btree_map("[a-c]{1,2}", text.clone(), 0..5);
    (text, any::<bool>(), 1_u32..500, metadata, tags).prop_map(
        |(name, enabled, minutes, metadata, tags)| {
            json!({
                "name": name, "enabled": enabled, "offline_after": format!("{minutes}m"), "metadata": metadata,
                "tags": tags,
            })
        },
    )
}

proptest! {
    #[test]
    fn what_goes_out_goes_in_again(devices in prop::collection::vec(device(), 1..5), columns: bool) {
        let all: Vec<NewDevice> = devices.iter().map(|it| serde_json::from_value(it.clone()).unwrap()).collect();
        let expected: Vec<_> = all.iter().map(members).collect();
        let columns = columns.then(|| Columns::new(["a".to_owned()]));
        let text = sheet(&expected, columns);
        let again: Vec<_> = items(&text).into_iter().map(|it| members(&it.unwrap())).collect();
        prop_assert_eq!(again, expected);
    }

    #[test]
    fn nonsense_never_panics(body: Vec<u8>, text in "name[,\\n\\r\"a-c:={}]{0,40}") {
        read(&body, 9).ok();
        read(text.as_bytes(), 9).ok();
    }
}
