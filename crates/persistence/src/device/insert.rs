//! Provisioning devices.

use super::{join_fleets, row};
use crate::{
    Db, StoreError, Tx, alert,
    idempotency::{Once, Outcome},
    session::OwnerId,
};
use domain::{
    Timestamp,
    device::{Device, DeviceId, DeviceKey, DeviceStatus, NewDevice},
};
use row::whole_seconds;
use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

/// Provisions a device.
pub async fn insert(
    db: &Db,
    owner: OwnerId,
    (new, key): (&NewDevice, &DeviceKey),
    once: &Once<'_, Device>,
    now: Timestamp,
) -> Result<Outcome<Device>, StoreError> {
    let name = "device.insert";
    let work = async |tx: &Tx| {
        let devices = insert_in(tx, owner, &[(new, key)], now).await?;
        let only = devices.into_iter().next();
        only.ok_or_else(|| StoreError::corrupt("devices", "an insert answered nothing"))
    };
    once.run((db, name), (owner, now), work).await
}

/// Provisions a few hundred devices at most, all or none of them, and answers them in the same order.
pub async fn insert_many(
    db: &Db,
    owner: OwnerId,
    all: &[(&NewDevice, &DeviceKey)],
    once: &Once<'_, Vec<Device>>,
    now: Timestamp,
) -> Result<Outcome<Vec<Device>>, StoreError> {
    let work = async |tx: &Tx| insert_in(tx, owner, all, now).await;
    once.run((db, "device.insert_many"), (owner, now), work)
        .await
}

async fn insert_in(
    tx: &Tx,
    owner: OwnerId,
    all: &[(&NewDevice, &DeviceKey)],
    now: Timestamp,
) -> Result<Vec<Device>, StoreError> {
    join_fleets(tx, owner).await?;
    let rows = all.iter().map(|(new, key)| row::ActiveModel {
        id: Set(Uuid::now_v7()),
        owner_id: Set(owner.uuid()),
        name: Set(new.name.clone().into()),
        device_key: Set(key.hash().to_hex()),
        key_prefix: Set(key.prefix().to_owned()),
        status: Set(DeviceStatus::Offline.as_str().to_owned()),
        enabled: Set(new.enabled),
        last_seen_at: Set(None),
        offline_after: Set(whole_seconds(new.offline_after)),
        metadata: Set(new.metadata.clone().into_value()),
        tags: Set(new.tags.clone().into_value()),
        created_at: Set(now),
        updated_at: Set(now),
        deleted_at: Set(None),
        check_at: Set(None),
        version: Set(1),
    });
    let mut stored = row::Entity::insert_many(rows)
        .exec_with_returning(tx)
        .await?;
    // Identifiers are made in the order of the rows, and ascend.
    stored.sort_unstable_by_key(|row| row.id);
    let devices = stored
        .into_iter()
        .map(Device::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let tagged = devices.iter().filter(|it| !it.tags.is_empty());
    let tagged: Vec<DeviceId> = tagged.map(|it| it.id).collect();
    if !tagged.is_empty() {
        alert::listen_to(tx, &tagged, now).await?;
    }
    Ok(devices)
}
