//! What tags may be, how they are patched, and what filters are.

use super::*;
use proptest::prelude::*;

fn tags(value: Value) -> Result<Tags, serde_json::Error> {
    serde_json::from_value(value)
}

fn change(value: Value) -> TagsChange {
    serde_json::from_value(value).unwrap()
}

fn filter(text: &str) -> Result<TagFilter, TagFilterError> {
    TagFilter::try_from(text.to_owned())
}

fn many(count: usize) -> Value {
    (0..count)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn tags_are_texts_under_short_plain_names() {
    let longest = json!({"a".repeat(64): "x".repeat(128), "rack.row-2_b": "Küche 7: links"});
    assert_eq!(tags(longest.clone()).unwrap().into_value(), longest);
    let blank = tags(json!({"site": "  north "})).unwrap();
    assert_eq!(blank.into_value(), json!({"site": "north"}));
    for refused in [
        json!({"": "x"}),
        json!({"1a": "x"}),
        json!({"a b": "x"}),
        json!({"a:b": "x"}),
        json!({"ä": "x"}),
        json!({"a".repeat(65): "x"}),
        json!({"a": ""}),
        json!({"a": " "}),
        json!({"a": "x".repeat(129)}),
        json!({"a": "x\u{0}y"}),
        json!({"a": "x\ny"}),
        json!({"a": 1}),
        json!({"a": null}),
        json!({"a": {"b": "c"}}),
        json!(["a"]),
        json!(null),
    ] {
        assert!(tags(refused.clone()).is_err(), "{refused}");
    }
}

#[test]
fn a_device_has_at_most_32_tags_also_after_a_change() {
    let full = tags(many(32)).unwrap();
    assert!(tags(many(33)).is_err());
    assert_eq!(
        full.clone().changed(change(json!({"new": "x"}))),
        Err(TagsError)
    );
    let swapped = full.changed(change(json!({"new": "x", "k0": null})));
    assert!(swapped.is_ok());
}

#[test]
fn a_change_sets_removes_and_leaves_alone() {
    let before = || tags(json!({"site": "north", "floor": "2"})).unwrap();
    for (patch, after) in [
        (json!({}), json!({"site": "north", "floor": "2"})),
        (
            json!({"floor": null, "none": null}),
            json!({"site": "north"}),
        ),
        (
            json!({"floor": "3", "new": "x"}),
            json!({"site": "north", "floor": "3", "new": "x"}),
        ),
        (json!(null), json!({})),
    ] {
        let changed = before().changed(change(patch.clone())).unwrap();
        assert_eq!(changed.into_value(), after, "{patch}");
    }
}

#[test]
fn a_filter_is_a_name_or_a_name_with_a_value() {
    assert!(matches!(filter("site"), Ok(TagFilter::Has(key)) if key.as_str() == "site"));
    for (text, expected) in [
        ("site:north", json!({"site": "north"})),
        ("site: north ", json!({"site": "north"})),
        ("url:http://x", json!({"url": "http://x"})),
    ] {
        let Ok(TagFilter::With(tags)) = filter(text) else {
            panic!("{text}");
        };
        assert_eq!(tags.into_value(), expected);
    }
    for text in [
        "", ":", ":north", "site:", "site: ", "1:x", "a b:x", "a:\u{7}",
    ] {
        assert!(filter(text).is_err(), "{text}");
    }
    assert!(TagFilters::try_from(vec![filter("a").unwrap(); 32]).is_ok());
    assert!(TagFilters::try_from(vec![filter("a").unwrap(); 33]).is_err());
}

proptest! {
    /// What was taken once is written and read as it is, and can be asked for.
    #[test]
    fn tags_come_back_as_they_were_taken(key in "\\PC{0,70}", value in ".{0,140}") {
        let Ok(taken) = tags(json!({key.clone(): value.clone()})) else {
            return Ok(());
        };
        prop_assert!(key.is_ascii() && !key.contains(':'));
        let stored = taken.clone().into_value();
        prop_assert_eq!(Tags::from_stored(stored).unwrap(), taken.clone());
        prop_assert_eq!(filter(&format!("{key}:{value}")), Ok(TagFilter::With(taken)));
    }

    #[test]
    fn well_formed_tags_are_taken(key in "[A-Za-z][A-Za-z0-9_.-]{0,63}", value in "[a-zäöü0-9:/]{1,128}") {
        let object = json!({key: value});
        prop_assert_eq!(tags(object.clone()).unwrap().into_value(), object);
    }
}
