//! Alerts of an owner's devices.

mod episode;
mod row;
mod silence;
mod state;
mod timeline;
mod transition;

pub(crate) use episode::{Verdict, apply};
pub use silence::find_silent;
pub(crate) use silence::{HEARD_EVERY, listen_again, listen_to};
pub(crate) use state::{Standing, begin_judging, follow_tags, keep, stretches};
pub use timeline::{TimelineKey, timeline};
pub(crate) use transition::{Of, end_open};

use crate::{Db, StoreError, Tx, device, session::OwnerId};
use domain::{
    Timestamp,
    alert::{Alert, AlertId, AlertStatus, AlreadyResolved, Note, ResolvedReason},
    alert_rule::AlertRuleId,
    device::DeviceId,
    page::{Cursor, Page, PageLimit},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel,
    JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Select,
};

/// Where a page of alerts begins: before this time of triggering, and identifiers of the same time.
pub type AlertKey = (Timestamp, AlertId);

/// Which alerts to list.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only alerts with this status.
    pub status: Option<AlertStatus>,
    /// Only alerts of this device.
    pub device_id: Option<DeviceId>,
    /// Only alerts of this rule.
    pub rule_id: Option<AlertRuleId>,
}

fn owned(owner: OwnerId) -> Select<row::Entity> {
    row::Entity::find()
        .join(JoinType::InnerJoin, row::Relation::Device.def())
        .filter(device::row::Column::OwnerId.eq(owner.uuid()))
        .filter(device::row::Column::DeletedAt.is_null())
}

/// Alerts, latest triggered first.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    filter: &AlertFilter,
    before: Option<Cursor<AlertKey>>,
    limit: PageLimit,
) -> Result<Page<Alert, AlertKey>, StoreError> {
    let mut query = owned(owner)
        .order_by_desc(row::Column::TriggeredAt)
        .order_by_desc(row::Column::Id)
        .limit(u64::from(limit.get()) + 1);
    if let Some(status) = filter.status {
        query = query.filter(row::Column::Status.eq(status.as_str()));
    }
    if let Some(device) = filter.device_id {
        query = query.filter(row::Column::DeviceId.eq(device.0));
    }
    if let Some(rule) = filter.rule_id {
        query = query.filter(row::Column::RuleId.eq(rule.0));
    }
    if let Some(Cursor((at, id))) = before {
        let same_time = Condition::all()
            .add(row::Column::TriggeredAt.eq(at))
            .add(row::Column::Id.lt(id.0));
        query = query.filter(
            Condition::any()
                .add(row::Column::TriggeredAt.lt(at))
                .add(same_time),
        );
    }
    db.transaction("alert.list", async |tx| {
        let alerts = query.clone().all(tx).await?;
        let alerts = alerts
            .into_iter()
            .map(Alert::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(alerts, limit, |alert| {
            (alert.triggered_at, alert.id)
        }))
    })
    .await
}

/// One alert.
pub async fn find(db: &Db, owner: OwnerId, id: AlertId) -> Result<Option<Alert>, StoreError> {
    db.transaction("alert.find", async |tx| {
        let alert = owned(owner)
            .filter(row::Column::Id.eq(id.0))
            .one(tx)
            .await?;
        alert.map(Alert::try_from).transpose()
    })
    .await
}

/// Notes that the owner knows of an alert. Who came first stays; a new note replaces the old one.
pub async fn acknowledge(
    db: &Db,
    owner: OwnerId,
    id: AlertId,
    note: Option<&Note>,
    now: Timestamp,
) -> Result<Option<Alert>, StoreError> {
    db.transaction("alert.acknowledge", async |tx| {
        let Some(found) = lock(tx, owner, id).await? else {
            return Ok(None);
        };
        let noted = take_note(tx, owner, found, note, now).await?;
        Alert::try_from(noted).map(Some)
    })
    .await
}

async fn take_note(
    tx: &Tx,
    owner: OwnerId,
    found: row::Model,
    note: Option<&Note>,
    now: Timestamp,
) -> Result<row::Model, StoreError> {
    let first = found.acknowledged_at.is_none();
    if !first && note.is_none() {
        return Ok(found);
    }
    let mut alert = found.into_active_model();
    if first {
        alert.acknowledged_at = Set(Some(now));
        alert.acknowledged_by = Set(Some(owner.uuid()));
    }
    if let Some(note) = note {
        alert.note = Set(Some(note.clone().into()));
    }
    Ok(alert.update(tx).await?)
}

/// Ends an alert by hand, and takes note of it where there is a note. Doing so twice is once, and a new note replaces
/// the old one; one that ended otherwise is a refusal.
///
/// The rule fires again at the next breach that is measured later.
pub async fn resolve(
    db: &Db,
    owner: OwnerId,
    id: AlertId,
    note: Option<&Note>,
    now: Timestamp,
) -> Result<Option<Result<Alert, AlreadyResolved>>, StoreError> {
    db.transaction("alert.resolve", async |tx| {
        let Some(found) = lock(tx, owner, id).await? else {
            return Ok(None);
        };
        let alert = Alert::try_from(found)?;
        match alert.resolved_reason {
            None => {
                let of = Of::RuleOnDevice(alert.rule_id, alert.device_id);
                end_open(tx, of, ResolvedReason::Manual, now).await?;
            }
            Some(ResolvedReason::Manual) => {}
            Some(_) => return Ok(Some(Err(AlreadyResolved))),
        }
        let Some(resolved) = row::Entity::find_by_id(id.0).one(tx).await? else {
            return Ok(None);
        };
        let resolved = match note {
            Some(_) => take_note(tx, owner, resolved, note, now).await?,
            None => resolved,
        };
        Alert::try_from(resolved).map(|alert| Some(Ok(alert)))
    })
    .await
}

/// Locks the alert's device, then reads the alert as it is now.
async fn lock(tx: &Tx, owner: OwnerId, id: AlertId) -> Result<Option<row::Model>, StoreError> {
    let alert = || owned(owner).filter(row::Column::Id.eq(id.0)).one(tx);
    let Some(found) = alert().await? else {
        return Ok(None);
    };
    device::lock(tx, owner, DeviceId(found.device_id)).await?;
    Ok(alert().await?)
}
