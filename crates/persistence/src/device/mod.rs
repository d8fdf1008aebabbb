//! Devices of an owner.

mod purge;

pub use purge::purge;

use crate::{Db, StoreError, Tx, alert, session::OwnerId, word};
use domain::{
    Timestamp,
    alert::ResolvedReason,
    device::{
        Device, DeviceChange, DeviceChangeError, DeviceId, DeviceKey, DeviceStatus, Metadata,
        NewDevice, TagFilter, TagFilters, Tags,
    },
    duration::Duration,
    page::{Cursor, Page, PageLimit},
    user::DisplayName,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select,
    sea_query::{Expr, LockType, extension::postgres::PgExpr},
};
use uuid::Uuid;

pub(crate) mod row {
    //! Rows of `devices`.
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
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Device {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
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
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn parse_status(text: &str) -> Result<DeviceStatus, StoreError> {
    let all = [DeviceStatus::Online, DeviceStatus::Offline];
    word::parse("devices.status", &all, DeviceStatus::as_str, text)
}

fn offline_after_seconds(duration: Duration) -> i32 {
    // A duration has at most 315,360,000 seconds.
    i32::try_from(duration.seconds()).unwrap_or(i32::MAX)
}

/// The owner's devices that are not deleted.
pub(crate) fn owned(owner: OwnerId) -> Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::OwnerId.eq(owner.uuid()))
        .filter(row::Column::DeletedAt.is_null())
}

/// Whether the owner has this device.
pub(crate) async fn exists(tx: &Tx, owner: OwnerId, id: DeviceId) -> Result<bool, StoreError> {
    let found = owned(owner)
        .filter(row::Column::Id.eq(id.0))
        .one(tx)
        .await?;
    Ok(found.is_some())
}

/// Locks the row that everything about the device's alerts is serialised by, if the owner has it.
///
/// Ingest takes the same lock, so readings, rules and alerts of one device never change at once.
pub(crate) async fn lock(
    tx: &Tx,
    owner: OwnerId,
    id: DeviceId,
) -> Result<Option<row::Model>, StoreError> {
    let query = owned(owner)
        .filter(row::Column::Id.eq(id.0))
        .lock(LockType::NoKeyUpdate);
    Ok(query.one(tx).await?)
}

/// Provisions a device.
pub async fn insert(
    db: &Db,
    owner: OwnerId,
    new: &NewDevice,
    key: &DeviceKey,
    now: Timestamp,
) -> Result<Device, StoreError> {
    db.transaction("device.insert", async |tx| {
        let device = row::ActiveModel {
            id: Set(Uuid::now_v7()),
            owner_id: Set(owner.uuid()),
            name: Set(new.name.clone().into()),
            device_key: Set(key.hash().to_hex()),
            key_prefix: Set(key.prefix().to_owned()),
            status: Set(DeviceStatus::Offline.as_str().to_owned()),
            enabled: Set(true),
            last_seen_at: Set(None),
            offline_after: Set(offline_after_seconds(new.offline_after)),
            metadata: Set(new.metadata.clone().into_value()),
            tags: Set(new.tags.clone().into_value()),
            created_at: Set(now),
            updated_at: Set(now),
            deleted_at: Set(None),
        };
        device.insert(tx).await?.try_into()
    })
    .await
}

/// One device.
pub async fn find(db: &Db, owner: OwnerId, id: DeviceId) -> Result<Option<Device>, StoreError> {
    db.transaction("device.find", async |tx| {
        let device = owned(owner)
            .filter(row::Column::Id.eq(id.0))
            .one(tx)
            .await?;
        device.map(Device::try_from).transpose()
    })
    .await
}

/// Which devices to list.
#[derive(Debug, Clone, Default)]
pub struct DeviceFilter {
    /// Only devices with this status.
    pub status: Option<DeviceStatus>,
    /// Only devices whose name contains this text, in upper or lower case.
    pub search: Option<String>,
    /// Only devices that have all of these tags.
    pub tags: TagFilters,
}

/// Whether a device has what a filter asks for.
fn has(filter: &TagFilter) -> Expr {
    let tags = Expr::col(row::Column::Tags);
    match filter {
        TagFilter::Has(key) => tags.get_json_field(key.as_str()).is_not_null(),
        TagFilter::With(some) => tags.contains(some.clone().into_value()),
    }
}

/// Devices in the order of provisioning.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    filter: &DeviceFilter,
    after: Option<Cursor<DeviceId>>,
    limit: PageLimit,
) -> Result<Page<Device, DeviceId>, StoreError> {
    let mut query = owned(owner)
        .order_by_asc(row::Column::Id)
        .limit(u64::from(limit.get()) + 1);
    if let Some(status) = filter.status {
        query = query.filter(row::Column::Status.eq(status.as_str()));
    }
    if let Some(search) = &filter.search {
        let escaped = search
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        query = query.filter(Expr::col(row::Column::Name).ilike(format!("%{escaped}%")));
    }
    query = filter
        .tags
        .iter()
        .fold(query, |query, tag| query.filter(has(tag)));
    if let Some(Cursor(id)) = after {
        query = query.filter(row::Column::Id.gt(id.0));
    }
    db.transaction("device.list", async |tx| {
        let devices = query.clone().all(tx).await?;
        let devices = devices
            .into_iter()
            .map(Device::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(devices, limit, |device| device.id))
    })
    .await
}

/// Changes a device's settings, or says what is wrong with what would result.
pub async fn update(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    change: &DeviceChange,
    now: Timestamp,
) -> Result<Option<Result<Device, DeviceChangeError>>, StoreError> {
    db.transaction("device.update", async |tx| {
        let Some(row) = lock(tx, owner, id).await? else {
            return Ok(None);
        };
        let before = Device::try_from(row.clone())?;
        let after = match change.clone().apply(&before) {
            Ok(after) => after,
            Err(error) => return Ok(Some(Err(error))),
        };
        if after == before {
            return Ok(Some(Ok(after)));
        }
        let mut row = row.into_active_model();
        row.name = Set(after.name.into());
        row.enabled = Set(after.enabled);
        row.offline_after = Set(offline_after_seconds(after.offline_after));
        row.metadata = Set(after.metadata.into_value());
        row.tags = Set(after.tags.into_value());
        row.updated_at = Set(now);
        Device::try_from(row.update(tx).await?).map(|device| Some(Ok(device)))
    })
    .await
}

/// Deletes a device with all that it has, and answers whether there was one.
///
/// It is gone for every reader at once; a background purge removes its data. Waits for ingest that
/// holds the device, so nothing is written for it after this commits.
pub async fn delete(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    db.transaction("device.delete", async |tx| {
        let Some(row) = lock(tx, owner, id).await? else {
            return Ok(false);
        };
        let mut row = row.into_active_model();
        row.deleted_at = Set(Some(now));
        row.update(tx).await?;
        alert::end_open(
            tx,
            alert::Of::Device(id),
            ResolvedReason::DeviceDeleted,
            now,
        )
        .await?;
        Ok(true)
    })
    .await
}
