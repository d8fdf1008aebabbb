//! When a device went online and offline.

use super::{exists, row, row::parse_status};
use crate::{Db, StoreError, Tx, session::OwnerId};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    device::{Device, DeviceId, DeviceStatus, StatusChange},
    page::{Cursor, Page, PageLimit},
};
use sea_orm::ActiveValue::Set;
use sqlx::Row as _;

/// Where a page of changes begins: before the one with this number.
pub type StatusKey = i64;

/// Changes of a device's status, latest first; none where the owner has no such device.
pub async fn status_history(
    db: &Db,
    owner: OwnerId,
    device: DeviceId,
    before: Option<Cursor<StatusKey>>,
    limit: PageLimit,
) -> Result<Option<Page<StatusChange, StatusKey>>, StoreError> {
    db.transaction("device.status_history", async |tx| {
        if !exists(tx, owner, device).await? {
            return Ok(None);
        }
        let statement = sqlx::query(
            "select id, status, at from device_status_changes
             where device_id = $1 and id < $2 order by id desc limit $3",
        );
        let statement = statement
            .bind(device.0)
            .bind(before.map_or(i64::MAX, |Cursor(id)| id))
            .bind(i64::from(limit.get()) + 1);
        let rows = tx.fetch_all(statement).await?;
        let change = |row: &sqlx::postgres::PgRow| {
            let at: Timestamp = row.try_get(2)?;
            let status = parse_status(row.try_get(1)?)?;
            Ok((row.try_get::<i64, _>(0)?, StatusChange { status, at }))
        };
        let changes = rows
            .iter()
            .map(change)
            .collect::<Result<Vec<_>, StoreError>>()?;
        let page = Page::cut(changes, limit, |(id, _)| *id);
        Ok(Some(Page {
            items: page.items.into_iter().map(|(_, change)| change).collect(),
            next: page.next,
        }))
    })
    .await
}

/// After its `offline_after` has become another one: a device that is online is looked at at once, and one that was
/// heard of within it is online.
pub(super) async fn change_patience(
    tx: &Tx,
    row: &mut row::ActiveModel,
    device: &Device,
    now: Timestamp,
) -> Result<(), StoreError> {
    let patience = TimeDelta::from(device.offline_after);
    let silent_at = device.last_seen_at.map(|seen| seen + patience);
    match device.status {
        DeviceStatus::Online => row.check_at = Set(Some(now)),
        DeviceStatus::Offline if silent_at.is_some_and(|at| at > now) => {
            row.status = Set(DeviceStatus::Online.as_str().to_owned());
            row.check_at = Set(silent_at);
            let statement = sqlx::query(
                "insert into device_status_changes (device_id, status, at) values ($1, $2, $3)",
            );
            let online = DeviceStatus::Online.as_str();
            tx.execute(statement.bind(device.id.0).bind(online).bind(now))
                .await?;
        }
        DeviceStatus::Offline => {}
    }
    Ok(())
}
