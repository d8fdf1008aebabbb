//! Devices: what they are provisioned with, and how their settings change.

mod key;
mod metadata;
mod tags;

pub use key::{DeviceKey, DeviceKeyError, DeviceKeyHash, mask_keys};
pub use metadata::{Metadata, MetadataError};
pub use tags::{
    TagFilter, TagFilterError, TagFilters, TagKey, TagKeyError, TagValue, TagValueError, Tags,
    TagsChange, TagsError,
};

use crate::{Timestamp, duration::Duration, id::id, user::DisplayName};
use metadata::merge;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

id!(
    /// Identifies a device.
    DeviceId
);

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

/// A change of a device's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    /// The status since then.
    pub status: DeviceStatus,
    /// When: at a reading, or at the end of `offline_after` without one.
    pub at: Timestamp,
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
    /// What it is filtered by.
    #[serde(default)]
    pub tags: Tags,
    /// Silence after which the device counts as offline.
    #[serde(default = "default_offline_after")]
    #[schema(default = "10m", pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "10m")]
    pub offline_after: Duration,
    /// A disabled device keeps its data, and its readings are refused with 403.
    #[serde(default = "default_enabled")]
    #[schema(default = true, example = true)]
    pub enabled: bool,
}

fn default_enabled() -> bool {
    true
}

fn default_offline_after() -> Duration {
    Duration::from_seconds(600).unwrap_or_else(|_| unreachable!("600 s is in range"))
}

/// A merge patch (RFC 7396) of a device: what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"tags": {"site": "south", "old": null}}))]
pub struct DeviceChange {
    /// What to call the device.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DisplayName, required = false)]
    pub name: Option<DisplayName>,
    /// Members to set; a member that is null is removed; `metadata: null` removes all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>, required = false, example = json!({"site": "south", "old": null}))]
    pub metadata: Option<Value>,
    /// Tags to set; one that is null is removed; `tags: null` removes all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = TagsChange, required = false)]
    pub tags: Option<TagsChange>,
    /// Silence after which the device counts as offline; null for the usual `10m`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "10m")]
    pub offline_after: Option<Option<Duration>>,
    /// A disabled device keeps its data, and its readings are refused with 403; null for the usual `true`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>, required = false, example = true)]
    pub enabled: Option<Option<bool>>,
}

/// Reads a member that may be absent, but not null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a change would make of a device is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceChangeError {
    /// The change to its notes is no object.
    #[error(transparent)]
    NoMetadata(MetadataError),
    /// Its notes are too large or too deep with it.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// It has too many tags.
    #[error(transparent)]
    Tags(#[from] TagsError),
}

impl DeviceChange {
    /// Whether it removes notes or tags whatever they are, also those that it has never seen.
    #[must_use]
    pub fn wipes(&self) -> bool {
        let notes = self.metadata.as_ref().is_some_and(Value::is_null);
        notes || self.tags.as_ref().is_some_and(TagsChange::wipes)
    }

    /// The device with this change made to it, or what is wrong with it then.
    ///
    /// The version goes up by one when anything changed.
    pub fn apply(self, device: &Device) -> Result<Device, DeviceChangeError> {
        let mut changed = device.clone();
        if let Some(patch) = self.metadata {
            if !patch.is_object() && !patch.is_null() {
                Metadata::try_from(patch.clone()).map_err(DeviceChangeError::NoMetadata)?;
            }
            let mut metadata = device.metadata.clone().into_value();
            merge(&mut metadata, patch);
            if metadata.is_null() {
                metadata = Value::Object(Map::new());
            }
            changed.metadata = Metadata::try_from(metadata)?;
        }
        if let Some(change) = self.tags {
            changed.tags = changed.tags.changed(change)?;
        }
        changed.name = self.name.unwrap_or(changed.name);
        if let Some(patience) = self.offline_after {
            changed.offline_after = patience.unwrap_or_else(default_offline_after);
        }
        if let Some(enabled) = self.enabled {
            changed.enabled = enabled.unwrap_or(true);
        }
        if changed != *device {
            changed.version = device.version.saturating_add(1);
        }
        Ok(changed)
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
    /// What it is filtered by.
    pub tags: Tags,
    /// Silence after which it counts as offline.
    pub offline_after: Duration,
    /// Counts the changes of its settings, from 1.
    pub version: i32,
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
    fn a_change_refuses_null_where_there_is_no_null() {
        assert!(serde_json::from_value::<DeviceChange>(json!({"name": null})).is_err());
        assert!(serde_json::from_value::<DeviceChange>(json!({"surprise": 1})).is_err());
        assert!(serde_json::from_value::<DeviceChange>(json!({"metadata": null})).is_ok());
        assert!(serde_json::from_value::<DeviceChange>(json!({"tags": null})).is_ok());
    }

    fn changed(device: &Device, patch: serde_json::Value) -> Device {
        let change: DeviceChange = serde_json::from_value(patch).unwrap();
        change.apply(device).unwrap()
    }

    #[test]
    fn null_is_what_a_device_is_provisioned_with() {
        let device = Device {
            id: DeviceId(uuid::Uuid::nil()),
            name: DisplayName::try_from("Boiler".to_owned()).unwrap(),
            key_prefix: String::new(),
            status: DeviceStatus::Offline,
            enabled: true,
            last_seen_at: None,
            metadata: Metadata::default(),
            tags: Tags::default(),
            offline_after: default_offline_after(),
            version: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        let other = changed(
            &device,
            json!({"offline_after": "1h", "enabled": false, "tags": {"a": "b"}, "metadata": {"c": 1}}),
        );
        assert_eq!(other.version, 2);
        let nulls = json!({"offline_after": null, "enabled": null, "tags": null, "metadata": null});
        let back = changed(&other, nulls);
        assert_eq!(Device { version: 1, ..back }, device);
        // What changes nothing is no new version.
        assert_eq!(changed(&device, json!({"enabled": null})), device);
    }

    #[test]
    fn only_what_removes_everything_wipes() {
        for (patch, wipes) in [
            (json!({"metadata": null}), true),
            (json!({"tags": null, "name": "x"}), true),
            (json!({"tags": {"a": null}, "metadata": {"b": null}}), false),
            (json!({"offline_after": null}), false),
        ] {
            let change: DeviceChange = serde_json::from_value(patch).unwrap();
            assert_eq!(change.wipes(), wipes, "{change:?}");
        }
    }
}
