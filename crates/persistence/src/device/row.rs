//! Rows of `devices`.

use crate::{StoreError, word};
use domain::{
    device::{Device, DeviceId, DeviceStatus, Metadata, Tags},
    duration::Duration,
    user::DisplayName,
};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "devices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub name: String,
    pub device_key: String,
    pub key_prefix: String,
    pub status: String,
    pub enabled: bool,
    pub last_seen_at: Option<DateTimeUtc>,
    pub offline_after: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Json,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
    pub check_at: Option<DateTimeUtc>,
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Device {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let offline_after = u32::try_from(row.offline_after)
            .ok()
            .and_then(|seconds| Duration::from_seconds(seconds).ok())
            .ok_or_else(|| StoreError::corrupt("devices.offline_after", row.offline_after))?;
        Ok(Self {
            id: DeviceId(row.id),
            name: DisplayName::try_from(row.name)
                .map_err(|error| StoreError::corrupt("devices.name", error))?,
            key_prefix: row.key_prefix,
            status: parse_status(&row.status)?,
            enabled: row.enabled,
            last_seen_at: row.last_seen_at,
            metadata: Metadata::from_stored(row.metadata)
                .map_err(|error| StoreError::corrupt("devices.metadata", error))?,
            tags: Tags::from_stored(row.tags)
                .map_err(|error| StoreError::corrupt("devices.tags", error))?,
            offline_after,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(super) fn parse_status(text: &str) -> Result<DeviceStatus, StoreError> {
    let all = [DeviceStatus::Online, DeviceStatus::Offline];
    word::parse("devices.status", &all, DeviceStatus::as_str, text)
}

/// A length of time as columns keep it.
pub(crate) fn whole_seconds(duration: Duration) -> i32 {
    // A duration has at most 315,360,000 seconds.
    i32::try_from(duration.seconds()).unwrap_or(i32::MAX)
}
