//! Free notes on a device, and how they are patched.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// Free notes on a device: a JSON object of at most 4 KiB and eight levels. Its numbers are those of
/// JavaScript, unlike those of readings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = std::collections::HashMap<String, Value>, example = json!({"site": "north"}))]
pub struct Metadata(Map<String, Value>);

/// Why metadata is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a JSON object of at most 4096 bytes and eight levels, without null characters")]
pub struct MetadataError;

impl Metadata {
    /// Takes what was stored. The database writes some numbers with more digits than they came with,
    /// so what was small enough once is not measured again.
    pub fn from_stored(value: Value) -> Result<Self, MetadataError> {
        if let Value::Object(map) = value {
            return Ok(Self(map));
        }
        Err(MetadataError)
    }

    /// The object as a JSON value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

impl TryFrom<Value> for Metadata {
    type Error = MetadataError;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let small = value.to_string().len() <= 4096;
        match value {
            // PostgreSQL's jsonb cannot hold U+0000.
            Value::Object(map)
                if small && map.iter().all(|(k, v)| !k.contains('\0') && storable(v, 7)) =>
            {
                Ok(Self(map))
            }
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(MetadataError),
        }
    }
}

/// Whether a value has at most so many levels, and no character that the database cannot hold.
fn storable(value: &Value, levels: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => levels > 0 && items.iter().all(|item| storable(item, levels - 1)),
        Value::Object(map) => {
            levels > 0
                && map
                    .iter()
                    .all(|(k, v)| !k.contains('\0') && storable(v, levels - 1))
        }
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The algorithm of RFC 7396, section 2.
pub(super) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(members) = target {
        for (name, value) in patch {
            if value.is_null() {
                members.remove(&name);
            } else {
                merge(members.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patch_follows_the_examples_of_the_rfc() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
            (json!({"a": "b"}), json!(null), json!(null)),
        ] {
            let mut merged = target;
            merge(&mut merged, patch);
            assert_eq!(merged, result);
        }
    }

    #[test]
    fn metadata_is_bounded() {
        assert!(Metadata::try_from(json!({"a": "x".repeat(4000)})).is_ok());
        assert!(Metadata::try_from(json!({"a": "x".repeat(4096)})).is_err());
        assert!(Metadata::try_from(json!({"a": "\u{0}"})).is_err());
        assert!(Metadata::try_from(json!([1])).is_err());
        let deep = (0..9).fold(json!(1), |inner, _| json!({"a": inner}));
        assert!(Metadata::try_from(deep).is_err());
    }
}
