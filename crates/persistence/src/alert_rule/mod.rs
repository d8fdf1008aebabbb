//! Alert rules of an owner, on a device or on a fleet.

mod preview;
pub(crate) mod row;
mod watched;

pub use preview::{PreviewSeries, preview_page, preview_series};
pub(crate) use row::{condition, no_data, parse_comparator, parse_severity};

use crate::{
    Db, StoreError, Tx, alert, device,
    idempotency::{Once, Outcome},
    session::OwnerId,
};
use domain::{
    Timestamp,
    alert::ResolvedReason,
    alert_rule::{
        AlertRule, AlertRuleChange, AlertRuleChangeError, AlertRuleId, Condition, EditEffect,
        MAX_RULES, NewAlertRule, Target, TooManyRules,
    },
    device::DeviceId,
    page::{Cursor, Page, PageLimit},
    version::{EditError, Expected, Outdated},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition as Filter, EntityTrait,
    IntoActiveModel, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
    Select,
};
use uuid::Uuid;
use watched::Watched;

/// Rules of the owner that are not deleted, and neither is their device, where they have one.
fn owned(owner: OwnerId) -> Select<row::Entity> {
    row::Entity::find()
        .join(JoinType::LeftJoin, row::Relation::Device.def())
        .filter(row::Column::OwnerId.eq(owner.uuid()))
        .filter(device::row::Column::DeletedAt.is_null())
        .filter(row::Column::DeletedAt.is_null())
}

/// Arms a rule on what it is to watch, unless there are too many; none where the owner has no such device.
pub async fn insert(
    db: &Db,
    owner: OwnerId,
    target: &Target,
    (new, condition): (&NewAlertRule, Condition),
    once: &Once<'_, AlertRule>,
    now: Timestamp,
) -> Result<Outcome<Option<Result<AlertRule, TooManyRules>>>, StoreError> {
    let work = async |tx: &Tx| {
        if !watched::lock(tx, owner, &[target]).await? {
            return Ok(None);
        }
        let same = match target {
            Target::Device(id) => row::Column::DeviceId.eq(id.0),
            Target::Fleet(_) => row::Column::DeviceId.is_null(),
        };
        if owned(owner).filter(same).count(tx).await? >= MAX_RULES {
            return Ok(Some(Err(TooManyRules)));
        }
        let rule = AlertRule {
            id: AlertRuleId(Uuid::now_v7()),
            target: target.clone(),
            name: new.display_name(),
            metric: new.metric.clone(),
            condition,
            no_data: new.no_data,
            severity: new.severity,
            enabled: new.enabled,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut row = row::ActiveModel {
            id: Set(rule.id.0),
            owner_id: Set(owner.uuid()),
            device_id: Set(target.device().map(|id| id.0)),
            created_at: Set(now),
            deleted_at: Set(None),
            ..Default::default()
        };
        row::set(&mut row, rule);
        let rule = AlertRule::try_from(row.insert(tx).await?)?;
        alert::begin_judging(tx, rule.id, now).await?;
        Ok(Some(Ok(rule)))
    };
    once.run((db, "alert_rule.insert"), (owner, now), work)
        .await
}

/// Which rules to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlertRuleFilter {
    /// Only rules that watch this device, by themselves or with its fleet.
    pub device_id: Option<DeviceId>,
}

/// Rules in the order of making; none where the owner has no such device.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    filter: AlertRuleFilter,
    after: Option<Cursor<AlertRuleId>>,
    limit: PageLimit,
) -> Result<Option<Page<AlertRule, AlertRuleId>>, StoreError> {
    db.transaction("alert_rule.list", async |tx| {
        let mut query = owned(owner)
            .order_by_asc(row::Column::Id)
            .limit(u64::from(limit.get()) + 1);
        if let Some(id) = filter.device_id {
            let device = device::owned(owner)
                .filter(device::row::Column::Id.eq(id.0))
                .one(tx)
                .await?;
            let Some(device) = device else {
                return Ok(None);
            };
            let of_fleet = Filter::all()
                .add(row::Column::DeviceId.is_null())
                .add(watched::is_chosen(device.tags));
            let watches = Filter::any()
                .add(row::Column::DeviceId.eq(id.0))
                .add(of_fleet);
            query = query.filter(watches);
        }
        if let Some(Cursor(id)) = after {
            query = query.filter(row::Column::Id.gt(id.0));
        }
        let rules = query.all(tx).await?;
        let rules = rules
            .into_iter()
            .map(AlertRule::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Page::cut(rules, limit, |rule| rule.id)))
    })
    .await
}

/// One rule.
pub async fn find(
    db: &Db,
    owner: OwnerId,
    id: AlertRuleId,
) -> Result<Option<AlertRule>, StoreError> {
    db.transaction("alert_rule.find", async |tx| {
        let rule = owned(owner)
            .filter(row::Column::Id.eq(id.0))
            .one(tx)
            .await?;
        rule.map(AlertRule::try_from).transpose()
    })
    .await
}

/// Edits a rule where it has the version that this is meant for, or says what is wrong with what would result. Where its condition or its devices change or it is
/// disarmed, its open alerts end.
pub async fn update(
    db: &Db,
    owner: OwnerId,
    id: AlertRuleId,
    (change, expected): (&AlertRuleChange, &Expected),
    now: Timestamp,
) -> Result<Option<Result<AlertRule, EditError<AlertRuleChangeError>>>, StoreError> {
    db.transaction("alert_rule.update", async |tx| {
        let found = watched::find(tx, owner, id, Some(change)).await?;
        let Some(Watched { row, rule: before }) = found else {
            return Ok(None);
        };
        let checked = expected.check(before.version).map_err(EditError::from);
        let applied = checked.and_then(|()| {
            change
                .clone()
                .apply(&before, now)
                .map_err(EditError::Invalid)
        });
        let (after, effect) = match applied {
            Ok(edit) => edit,
            Err(error) => return Ok(Some(Err(error))),
        };
        if after == before {
            return Ok(Some(Ok(before)));
        }
        let mut row = row.into_active_model();
        row::set(&mut row, after.clone());
        let rule = row.update(tx).await?;
        let reason = match effect {
            EditEffect::None => None,
            EditEffect::ConditionChanged => Some(ResolvedReason::RuleChanged),
            EditEffect::Disabled => Some(ResolvedReason::RuleDisabled),
        };
        if let Some(reason) = reason {
            alert::end_open(tx, alert::Of::Rule(id), reason, now).await?;
        }
        if reason.is_some() || after.enabled != before.enabled {
            alert::begin_judging(tx, id, now).await?;
        } else if after.no_data != before.no_data {
            alert::listen_again(tx, id, now).await?;
        }
        AlertRule::try_from(rule).map(|rule| Some(Ok(rule)))
    })
    .await
}

/// Deletes a rule where it has the version that this is meant for, and ends its open alerts; none where there is no
/// such rule. Its alerts stay.
pub async fn delete(
    db: &Db,
    owner: OwnerId,
    id: AlertRuleId,
    expected: &Expected,
    now: Timestamp,
) -> Result<Option<Result<(), Outdated>>, StoreError> {
    db.transaction("alert_rule.delete", async |tx| {
        let Some(Watched { row, rule }) = watched::find(tx, owner, id, None).await? else {
            return Ok(None);
        };
        if let Err(error) = expected.check(rule.version) {
            return Ok(Some(Err(error)));
        }
        let mut row = row.into_active_model();
        row.deleted_at = Set(Some(now));
        row.enabled = Set(false);
        row.update(tx).await?;
        alert::end_open(tx, alert::Of::Rule(id), ResolvedReason::RuleDeleted, now).await?;
        alert::begin_judging(tx, id, now).await?;
        Ok(Some(Ok(())))
    })
    .await
}
