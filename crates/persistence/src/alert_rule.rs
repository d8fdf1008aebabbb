//! Alert rules of an owner's devices.

use crate::{Db, StoreError, Tx, alert, device, reading, session::OwnerId, word};
use domain::{
    Timestamp,
    alert::ResolvedReason,
    alert_rule::{
        AlertRule, AlertRuleChange, AlertRuleId, Comparator, EditEffect, NewAlertRule, Severity,
    },
    device::DeviceId,
    page::{Cursor, Page, PageLimit},
    reading::Metric,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, JoinType,
    QueryFilter, QueryOrder, QuerySelect, RelationTrait, Select,
};
use uuid::Uuid;

pub(crate) mod row {
    //! Rows of `alert_rules`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "alert_rules")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub device_id: Uuid,
        pub name: String,
        pub metric: String,
        pub comparator: String,
        #[sea_orm(select_as = "text", save_as = "numeric")]
        pub threshold: String,
        pub severity: String,
        pub enabled: bool,
        pub version: i32,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub deleted_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::device::row::Entity",
            from = "Column::DeviceId",
            to = "crate::device::row::Column::Id"
        )]
        Device,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for AlertRule {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: AlertRuleId(row.id),
            device_id: DeviceId(row.device_id),
            name: row.name,
            metric: Metric::parse(&row.metric)
                .map_err(|error| StoreError::corrupt("alert_rules.metric", error))?,
            comparator: parse_comparator(&row.comparator)?,
            threshold: reading::value(&row.threshold)?,
            severity: parse_severity(&row.severity)?,
            enabled: row.enabled,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(crate) fn parse_comparator(text: &str) -> Result<Comparator, StoreError> {
    let all = [
        Comparator::Gt,
        Comparator::Lt,
        Comparator::Gte,
        Comparator::Lte,
    ];
    word::parse("comparator", &all, Comparator::as_str, text)
}

pub(crate) fn parse_severity(text: &str) -> Result<Severity, StoreError> {
    let all = [Severity::Critical, Severity::Warning, Severity::Info];
    word::parse("severity", &all, Severity::as_str, text)
}

/// Rules of the owner's devices that are not deleted, and neither are the devices.
fn owned(owner: OwnerId) -> Select<row::Entity> {
    row::Entity::find()
        .join(JoinType::InnerJoin, row::Relation::Device.def())
        .filter(device::row::Column::OwnerId.eq(owner.uuid()))
        .filter(device::row::Column::DeletedAt.is_null())
        .filter(row::Column::DeletedAt.is_null())
}

/// Arms a rule on a device; none where the owner has no such device.
pub async fn insert(
    db: &Db,
    owner: OwnerId,
    device: DeviceId,
    new: &NewAlertRule,
    now: Timestamp,
) -> Result<Option<AlertRule>, StoreError> {
    db.transaction("alert_rule.insert", async |tx| {
        if device::lock(tx, owner, device).await?.is_none() {
            return Ok(None);
        }
        let rule = row::ActiveModel {
            id: Set(Uuid::now_v7()),
            device_id: Set(device.0),
            name: Set(new.display_name()),
            metric: Set(new.metric.clone().into()),
            comparator: Set(new.comparator.as_str().to_owned()),
            threshold: Set(new.threshold.to_string()),
            severity: Set(new.severity.as_str().to_owned()),
            enabled: Set(new.enabled),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            deleted_at: Set(None),
        };
        let rule = AlertRule::try_from(rule.insert(tx).await?)?;
        begin_judging(tx, rule.id).await?;
        Ok(Some(rule))
    })
    .await
}

/// Rules of a device in the order of making; none where the owner has no such device.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    device: DeviceId,
    after: Option<Cursor<AlertRuleId>>,
    limit: PageLimit,
) -> Result<Option<Page<AlertRule, AlertRuleId>>, StoreError> {
    db.transaction("alert_rule.list", async |tx| {
        if !device::exists(tx, owner, device).await? {
            return Ok(None);
        }
        let mut query = owned(owner)
            .filter(row::Column::DeviceId.eq(device.0))
            .order_by_asc(row::Column::Id)
            .limit(u64::from(limit.get()) + 1);
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

/// Edits a rule. Where its condition changes or it is disarmed, its open alert ends.
pub async fn update(
    db: &Db,
    owner: OwnerId,
    id: AlertRuleId,
    change: &AlertRuleChange,
    now: Timestamp,
) -> Result<Option<AlertRule>, StoreError> {
    db.transaction("alert_rule.update", async |tx| {
        let Some(row) = lock(tx, owner, id).await? else {
            return Ok(None);
        };
        let before = AlertRule::try_from(row.clone())?;
        let (after, effect) = change.clone().apply(&before, now);
        if after == before {
            return Ok(Some(before));
        }
        let mut row = row.into_active_model();
        row.name = Set(after.name);
        row.metric = Set(after.metric.into());
        row.comparator = Set(after.comparator.as_str().to_owned());
        row.threshold = Set(after.threshold.to_string());
        row.severity = Set(after.severity.as_str().to_owned());
        row.enabled = Set(after.enabled);
        row.version = Set(after.version);
        row.updated_at = Set(after.updated_at);
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
            begin_judging(tx, id).await?;
        }
        rule.try_into().map(Some)
    })
    .await
}

/// Deletes a rule, ends its open alert, and answers whether there was one. Its alerts stay.
pub async fn delete(
    db: &Db,
    owner: OwnerId,
    id: AlertRuleId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    db.transaction("alert_rule.delete", async |tx| {
        let Some(row) = lock(tx, owner, id).await? else {
            return Ok(false);
        };
        let mut row = row.into_active_model();
        row.deleted_at = Set(Some(now));
        row.enabled = Set(false);
        row.update(tx).await?;
        alert::end_open(tx, alert::Of::Rule(id), ResolvedReason::RuleDeleted, now).await?;
        Ok(true)
    })
    .await
}

/// Locks the rule's device, then reads the rule as it is now.
async fn lock(tx: &Tx, owner: OwnerId, id: AlertRuleId) -> Result<Option<row::Model>, StoreError> {
    let rule = |()| owned(owner).filter(row::Column::Id.eq(id.0)).one(tx);
    let Some(found) = rule(()).await? else {
        return Ok(None);
    };
    device::lock(tx, owner, DeviceId(found.device_id)).await?;
    Ok(rule(()).await?)
}

/// Makes a rule judge what is measured after the newest reading that is stored now.
///
/// Whether it is new, has another condition, or is armed again: a reading that arrives late tells of
/// a time before, and the past is not rewritten.
async fn begin_judging(tx: &Tx, id: AlertRuleId) -> Result<(), StoreError> {
    let forget = sqlx::query("delete from alert_states where rule_id = $1");
    tx.execute(forget.bind(id.0)).await?;
    let begin = sqlx::query(
        "insert into alert_states (rule_id, device_id, evaluated_until)
         select rule.id, rule.device_id, newest.recorded_at
         from alert_rules as rule
         join series on series.device_id = rule.device_id and series.metric = rule.metric
         cross join lateral (
             select recorded_at from samples where series_id = series.id
             order by recorded_at desc limit 1
         ) as newest
         where rule.id = $1",
    );
    tx.execute(begin.bind(id.0)).await.map(|_| ())
}
