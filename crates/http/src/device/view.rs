//! Devices as they are answered.

use chrono::{DateTime, Utc};
use domain::{
    device::{Device, DeviceId, DeviceKey, DeviceStatus, Metadata, Tags},
    duration::Duration,
    user::DisplayName,
};
use serde::Serialize;

/// A device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceView {
    id: DeviceId,
    name: DisplayName,
    /// The first characters of its key, to tell keys apart by.
    #[schema(example = "rdk_7Qk4bJ")]
    key_prefix: String,
    status: DeviceStatus,
    /// A disabled device keeps its data, and its readings are refused with 403.
    enabled: bool,
    /// When it last posted a reading; moves at most once a second.
    #[schema(required = true)]
    last_seen_at: Option<DateTime<Utc>>,
    metadata: Metadata,
    tags: Tags,
    /// Silence after which it counts as offline.
    #[schema(pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "10m")]
    offline_after: Duration,
    /// Counts the changes of its settings, from 1; what readings change is none.
    #[schema(minimum = 1, example = 1)]
    version: i32,
    created_at: DateTime<Utc>,
    /// When its settings last changed.
    updated_at: DateTime<Utc>,
}

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        Self {
            id: device.id,
            name: device.name,
            key_prefix: device.key_prefix,
            status: device.status,
            enabled: device.enabled,
            last_seen_at: device.last_seen_at,
            metadata: device.metadata,
            tags: device.tags,
            offline_after: device.offline_after,
            version: device.version,
            created_at: device.created_at,
            updated_at: device.updated_at,
        }
    }
}

/// A device that was provisioned just now, with its key.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ProvisionedDevice)]
pub(super) struct ProvisionedDeviceView {
    #[serde(flatten)]
    pub(super) device: DeviceView,
    /// What the device authenticates with. It is shown here once and never again.
    #[schema(example = "rdk_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9")]
    device_key: String,
}

impl ProvisionedDeviceView {
    pub(super) fn new(device: Device, key: &DeviceKey) -> Self {
        Self {
            device: device.into(),
            device_key: key.reveal().to_owned(),
        }
    }
}
