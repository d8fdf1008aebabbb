//! Rows of `alert_rules`.

use crate::{StoreError, device::row::whole_seconds, reading, word};
use domain::{
    alert_rule::{
        AlertRule, AlertRuleId, Comparator, Condition, NoData, NoDataAction, Selector, Severity,
        Target,
    },
    device::{DeviceId, Tags},
    duration::Duration,
    reading::Metric,
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_rules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub device_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub tags: Option<Json>,
    pub name: String,
    pub metric: String,
    pub comparator: String,
    #[sea_orm(select_as = "text", save_as = "numeric")]
    pub threshold: String,
    #[sea_orm(select_as = "text", save_as = "numeric")]
    pub clear_threshold: Option<String>,
    pub hold_for: i32,
    pub keep_firing_for: i32,
    pub no_data_after: Option<i32>,
    pub no_data_action: Option<String>,
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

impl TryFrom<Model> for AlertRule {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: AlertRuleId(row.id),
            target: target(row.device_id, row.tags)?,
            name: row.name,
            metric: Metric::parse(&row.metric)
                .map_err(|error| StoreError::corrupt("alert_rules.metric", error))?,
            condition: condition(
                (
                    &row.comparator,
                    &row.threshold,
                    row.clear_threshold.as_deref(),
                ),
                (row.hold_for, row.keep_firing_for),
            )?,
            no_data: no_data(row.no_data_after, row.no_data_action.as_deref())?,
            severity: parse_severity(&row.severity)?,
            enabled: row.enabled,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Sets what an edit may change.
pub(super) fn set(row: &mut ActiveModel, rule: AlertRule) {
    let condition = rule.condition;
    let selector = rule.target.selector().cloned();
    row.tags = Set(selector.map(|it| it.tags().clone().into_value()));
    row.name = Set(rule.name);
    row.metric = Set(rule.metric.into());
    row.comparator = Set(condition.comparator().as_str().to_owned());
    row.threshold = Set(condition.threshold().to_string());
    row.clear_threshold = Set(condition.clear_threshold().map(|it| it.to_string()));
    row.hold_for = Set(condition.held_for().map_or(0, whole_seconds));
    row.keep_firing_for = Set(condition.kept_firing_for().map_or(0, whole_seconds));
    row.no_data_after = Set(rule.no_data.map(|it| whole_seconds(it.after)));
    row.no_data_action = Set(rule.no_data.map(|it| it.action.as_str().to_owned()));
    row.severity = Set(rule.severity.as_str().to_owned());
    row.enabled = Set(rule.enabled);
    row.version = Set(rule.version);
    row.updated_at = Set(rule.updated_at);
}

fn target(device: Option<Uuid>, tags: Option<Json>) -> Result<Target, StoreError> {
    if let Some(id) = device {
        return Ok(Target::Device(DeviceId(id)));
    }
    let tags = Tags::from_stored(tags.unwrap_or_default());
    let tags = tags.map_err(|error| StoreError::corrupt("alert_rules.tags", error))?;
    let selector = Selector::new(tags);
    let selector = selector.map_err(|error| StoreError::corrupt("alert_rules.tags", error))?;
    Ok(Target::Fleet(selector))
}

/// From comparator, threshold and clear threshold, and the two lengths of time in seconds.
pub(crate) fn condition(
    (comparator, threshold, clear_threshold): (&str, &str, Option<&str>),
    (hold_for, keep_firing_for): (i32, i32),
) -> Result<Condition, StoreError> {
    let clear_threshold = clear_threshold.map(reading::value).transpose()?;
    Condition::new(parse_comparator(comparator)?, reading::value(threshold)?)
        .lasting(duration(hold_for)?, duration(keep_firing_for)?)
        .clear_at(clear_threshold)
        .map_err(|error| StoreError::corrupt("alert_rules.clear_threshold", error))
}

/// From a number of seconds and the name of an action.
pub(crate) fn no_data(
    after: Option<i32>,
    action: Option<&str>,
) -> Result<Option<NoData>, StoreError> {
    let Some((after, action)) = after.zip(action) else {
        return Ok(None);
    };
    let after = duration(after)?;
    Ok(Some(NoData {
        after: after.ok_or_else(|| StoreError::corrupt("alert_rules.no_data_after", 0))?,
        action: word::parse(
            "alert_rules.no_data_action",
            &NoDataAction::ALL,
            NoDataAction::as_str,
            action,
        )?,
    }))
}

/// A length of time, where there is one.
fn duration(seconds: i32) -> Result<Option<Duration>, StoreError> {
    if seconds == 0 {
        return Ok(None);
    }
    let duration = u32::try_from(seconds).ok().map(Duration::from_seconds);
    match duration {
        Some(Ok(duration)) => Ok(Some(duration)),
        Some(Err(_)) | None => Err(StoreError::corrupt("alert_rules", seconds)),
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
