//! Devices, and the key that identifies each for life.

use crate::{Timestamp, duration::Duration, id::id, token, user::DisplayName};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

id!(
    /// Identifies a device.
    DeviceId
);

const PREFIX: &str = "rdk_";

/// Characters of a key that are kept in the clear, to recognise it by.
const VISIBLE: usize = 10;

/// The secret that a device authenticates with: `rdk_`, 256 random bits in base 62, a checksum.
///
/// It identifies the physical device: made once at provisioning and never again. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey(String);

/// The text is not a device key of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a device key: one begins with rdk_ and has 53 characters")]
pub struct DeviceKeyError;

impl DeviceKey {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(token::write(PREFIX, random))
    }

    /// Checks form and checksum; whether a device has this key, only the database knows.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        if token::is_well_formed(PREFIX, text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DeviceKeyError)
        }
    }

    /// The key as the device keeps it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored to find the device by: SHA-256 in hex.
    #[must_use]
    pub fn hash(&self) -> DeviceKeyHash {
        DeviceKeyHash(token::hash(&self.0))
    }

    /// The first ten characters, to tell keys apart by.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.get(..VISIBLE).unwrap_or(PREFIX)
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKey(…)")
    }
}

/// SHA-256 of a device key: 64 hex digits, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKeyHash(String);

impl DeviceKeyHash {
    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a device has been heard of lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceStatus {
    /// Has posted a reading.
    Online,
    /// Has never posted a reading, or not for its `offline_after`.
    Offline,
}

impl DeviceStatus {
    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }
}

/// Free notes on a device: a JSON object of at most 4 KiB and eight levels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object, example = json!({"site": "north"}))]
pub struct Metadata(Map<String, Value>);

/// Why metadata is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a JSON object of at most 4096 bytes and eight levels, without null characters")]
pub struct MetadataError;

impl Metadata {
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

/// What a device is provisioned with.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What to call the device.
    pub name: DisplayName,
    /// Free notes.
    #[serde(default)]
    pub metadata: Metadata,
    /// Silence after which the device counts as offline.
    #[serde(default = "default_offline_after")]
    #[schema(default = "10m", pattern = "^[0-9]+[smhd]$", example = "10m")]
    pub offline_after: Duration,
}

fn default_offline_after() -> Duration {
    Duration::from_seconds(600).unwrap_or_else(|_| unreachable!("600 s is in range"))
}

/// A merge patch (RFC 7396) of a device: what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    /// What to call the device.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DisplayName, required = false)]
    pub name: Option<DisplayName>,
    /// Members to set; a member that is null is removed; `metadata: null` removes all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>, required = false, example = json!({"site": "south", "old": null}))]
    pub metadata: Option<Value>,
    /// Silence after which the device counts as offline.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Duration, required = false, pattern = "^[0-9]+[smhd]$", example = "10m")]
    pub offline_after: Option<Duration>,
    /// A disabled device keeps its data, and its readings are refused with 403.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false, example = true)]
    pub enabled: Option<bool>,
}

/// Reads a member that may be absent, but not null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl DeviceChange {
    /// The device with this change made to it, or what is wrong with the merged metadata.
    pub fn apply(self, device: &Device) -> Result<Device, MetadataError> {
        let mut changed = device.clone();
        if let Some(patch) = self.metadata {
            let mut metadata = device.metadata.clone().into_value();
            merge(&mut metadata, patch);
            if metadata.is_null() {
                metadata = Value::Object(Map::new());
            }
            changed.metadata = Metadata::try_from(metadata)?;
        }
        changed.name = self.name.unwrap_or(changed.name);
        changed.offline_after = self.offline_after.unwrap_or(changed.offline_after);
        changed.enabled = self.enabled.unwrap_or(changed.enabled);
        Ok(changed)
    }
}

/// The algorithm of RFC 7396, section 2.
fn merge(target: &mut Value, patch: Value) {
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

/// A device of some owner.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Identifies the device.
    pub id: DeviceId,
    /// What to call it.
    pub name: DisplayName,
    /// First characters of its key.
    pub key_prefix: String,
    /// Whether it has been heard of lately.
    pub status: DeviceStatus,
    /// Whether its readings are taken.
    pub enabled: bool,
    /// When it last posted a reading, by the clock of the service.
    pub last_seen_at: Option<Timestamp>,
    /// Free notes.
    pub metadata: Metadata,
    /// Silence after which it counts as offline.
    pub offline_after: Duration,
    /// When it was provisioned.
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn key_is_recognised_and_not_printed() {
        let key = DeviceKey::new([7; 32]);
        assert_eq!(DeviceKey::parse(key.reveal()), Ok(key.clone()));
        assert!(key.reveal().starts_with(key.prefix()));
        assert_eq!(key.hash().as_str().len(), 64);
        assert!(!format!("{key:?}").contains(key.prefix()));
        assert!(DeviceKey::parse("rdk_nonsense").is_err());
        assert!(DeviceKey::parse("rdk_é").is_err());
    }

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

    #[test]
    fn a_change_refuses_null_where_there_is_no_null() {
        assert!(serde_json::from_value::<DeviceChange>(json!({"name": null})).is_err());
        assert!(serde_json::from_value::<DeviceChange>(json!({"surprise": 1})).is_err());
        assert!(serde_json::from_value::<DeviceChange>(json!({"metadata": null})).is_ok());
    }
}
