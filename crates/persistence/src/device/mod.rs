//! Devices of an owner.

mod insert;
mod offline;
mod purge;
pub(crate) mod row;
mod status;

pub use insert::{insert, insert_many};
pub use offline::find_offline;
pub use purge::purge;
pub use status::{StatusKey, status_history};

use crate::{Db, StoreError, Tx, alert, idempotency, session::OwnerId};
use domain::{
    Timestamp,
    alert::ResolvedReason,
    device::{
        Device, DeviceChange, DeviceChangeError, DeviceId, DeviceStatus, TagFilter, TagFilters,
    },
    page::{Cursor, Page, PageLimit},
    version::{EditError, Expected, Outdated},
};
use row::whole_seconds;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select,
    sea_query::{Expr, LockType, extension::postgres::PgExpr},
};

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

/// Keeps devices of the owner from joining or leaving fleets, until this transaction ends. Comes before the locks
/// of devices.
pub(crate) async fn lock_fleets(tx: &Tx, owner: OwnerId) -> Result<(), StoreError> {
    let statement = sqlx::query("select from users where id = $1 for no key update");
    tx.execute(statement.bind(owner.uuid())).await.map(|_| ())
}

/// Keeps rules of the owner that watch fleets as they are, until this transaction ends. Comes before the lock of
/// the device.
async fn join_fleets(tx: &Tx, owner: OwnerId) -> Result<(), StoreError> {
    let statement = sqlx::query("select from users where id = $1 for share");
    tx.execute(statement.bind(owner.uuid())).await.map(|_| ())
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

/// The owner's devices that have what a filter asks for.
fn matching(owner: OwnerId, filter: &DeviceFilter) -> Select<row::Entity> {
    let mut query = owned(owner);
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
    filter
        .tags
        .iter()
        .fold(query, |query, tag| query.filter(has(tag)))
}

/// Devices in the order of provisioning.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    filter: &DeviceFilter,
    after: Option<Cursor<DeviceId>>,
    limit: PageLimit,
) -> Result<Page<Device, DeviceId>, StoreError> {
    let mut query = matching(owner, filter)
        .order_by_asc(row::Column::Id)
        .limit(u64::from(limit.get()) + 1);
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

/// The names of tags that devices have, in alphabetical order, at most so many.
pub async fn tag_keys(
    db: &Db,
    owner: OwnerId,
    filter: &DeviceFilter,
    most: u64,
) -> Result<Vec<String>, StoreError> {
    let key = || Expr::cust("jsonb_object_keys(tags)");
    let query = matching(owner, filter)
        .select_only()
        .expr_as(key(), "key")
        .distinct()
        .order_by_asc(key())
        .limit(most);
    db.transaction("device.tag_keys", async |tx| {
        Ok(query.clone().into_tuple().all(tx).await?)
    })
    .await
}

/// Changes a device's settings where they have the version that the change is meant for, or says what is wrong with
/// what would result.
pub async fn update(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    (change, expected): (&DeviceChange, &Expected),
    now: Timestamp,
) -> Result<Option<Result<Device, EditError<DeviceChangeError>>>, StoreError> {
    db.transaction("device.update", async |tx| {
        if change.tags.is_some() {
            join_fleets(tx, owner).await?;
        }
        let Some(row) = lock(tx, owner, id).await? else {
            return Ok(None);
        };
        let before = Device::try_from(row.clone())?;
        let checked = expected.check(before.version).map_err(EditError::from);
        let applied =
            checked.and_then(|()| change.clone().apply(&before).map_err(EditError::Invalid));
        let after = match applied {
            Ok(after) => after,
            Err(error) => return Ok(Some(Err(error))),
        };
        if after == before {
            return Ok(Some(Ok(after)));
        }
        let mut row = row.into_active_model();
        if after.offline_after != before.offline_after {
            status::change_patience(tx, &mut row, &after, now).await?;
        }
        let other_tags = after.tags != before.tags;
        row.name = Set(after.name.into());
        row.enabled = Set(after.enabled);
        row.offline_after = Set(whole_seconds(after.offline_after));
        row.metadata = Set(after.metadata.into_value());
        row.tags = Set(after.tags.into_value());
        row.version = Set(after.version);
        row.updated_at = Set(now);
        let device = Device::try_from(row.update(tx).await?)?;
        if other_tags {
            alert::follow_tags(tx, id, now).await?;
        }
        Ok(Some(Ok(device)))
    })
    .await
}

/// Deletes a device with all that it has, where it has the version that this is meant for; none where there is no
/// such device.
///
/// It is gone for every reader at once; a background purge removes its data. Waits for ingest that
/// holds the device, so nothing is written for it after this commits.
pub async fn delete(
    db: &Db,
    owner: OwnerId,
    id: DeviceId,
    expected: &Expected,
    now: Timestamp,
) -> Result<Option<Result<(), Outdated>>, StoreError> {
    db.transaction("device.delete", async |tx| {
        let Some(row) = lock(tx, owner, id).await? else {
            return Ok(None);
        };
        if let Err(error) = expected.check(row.version) {
            return Ok(Some(Err(error)));
        }
        let mut row = row.into_active_model();
        row.deleted_at = Set(Some(now));
        row.update(tx).await?;
        idempotency::delete_of(tx, owner, id).await?;
        alert::end_open(
            tx,
            alert::Of::Device(id),
            ResolvedReason::DeviceDeleted,
            now,
        )
        .await?;
        Ok(Some(Ok(())))
    })
    .await
}
