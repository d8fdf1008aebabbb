//! Rows of `alerts`.

use crate::{
    StoreError,
    alert_rule::{parse_comparator, parse_severity},
    reading::{metric, value},
    word,
};
use domain::{
    alert::{Alert, AlertId, AlertKind, AlertStatus, ResolvedReason},
    alert_rule::AlertRuleId,
    device::DeviceId,
    user::UserId,
};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alerts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub rule_id: Uuid,
    pub device_id: Uuid,
    pub kind: String,
    pub metric: String,
    pub comparator: String,
    #[sea_orm(select_as = "text", save_as = "numeric")]
    pub threshold: String,
    #[sea_orm(select_as = "text", save_as = "numeric")]
    pub clear_threshold: Option<String>,
    pub rule_version: i32,
    pub severity: String,
    pub status: String,
    pub triggered_at: DateTimeUtc,
    pub resolved_at: Option<DateTimeUtc>,
    #[sea_orm(select_as = "text", save_as = "numeric")]
    pub value: Option<String>,
    #[sea_orm(select_as = "text", save_as = "numeric")]
    pub peak_value: Option<String>,
    pub peak_at: Option<DateTimeUtc>,
    pub resolved_reason: Option<String>,
    pub acknowledged_at: Option<DateTimeUtc>,
    pub acknowledged_by: Option<Uuid>,
    pub note: Option<String>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "crate::device::row::Entity",
        from = "Column::DeviceId",
        to = "crate::device::row::Column::Id"
    )]
    Device,
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Alert {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: AlertId(row.id),
            rule_id: AlertRuleId(row.rule_id),
            device_id: DeviceId(row.device_id),
            kind: parse_kind(&row.kind)?,
            metric: metric(&row.metric)?,
            comparator: parse_comparator(&row.comparator)?,
            threshold: value(&row.threshold)?,
            clear_threshold: row.clear_threshold.as_deref().map(value).transpose()?,
            rule_version: row.rule_version,
            severity: parse_severity(&row.severity)?,
            status: parse_status(&row.status)?,
            triggered_at: row.triggered_at,
            resolved_at: row.resolved_at,
            value: row.value.as_deref().map(value).transpose()?,
            peak_value: row.peak_value.as_deref().map(value).transpose()?,
            peak_at: row.peak_at,
            resolved_reason: row
                .resolved_reason
                .as_deref()
                .map(parse_reason)
                .transpose()?,
            acknowledged_at: row.acknowledged_at,
            acknowledged_by: row.acknowledged_by.map(UserId),
            note: row.note,
        })
    }
}

fn parse_status(text: &str) -> Result<AlertStatus, StoreError> {
    let all = [AlertStatus::Firing, AlertStatus::Resolved];
    word::parse("alerts.status", &all, AlertStatus::as_str, text)
}

fn parse_kind(text: &str) -> Result<AlertKind, StoreError> {
    word::parse("alerts.kind", &AlertKind::ALL, AlertKind::as_str, text)
}

fn parse_reason(text: &str) -> Result<ResolvedReason, StoreError> {
    let all = &ResolvedReason::ALL;
    word::parse("alerts.resolved_reason", all, ResolvedReason::as_str, text)
}
