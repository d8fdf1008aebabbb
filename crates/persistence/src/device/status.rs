//! When a device went online and offline.

use super::{exists, row::parse_status};
use crate::{Db, StoreError, session::OwnerId};
use domain::{
    Timestamp,
    device::{DeviceId, StatusChange},
    page::{Cursor, Page, PageLimit},
};
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
