//! Alert rules as they are answered.

use chrono::{DateTime, Utc};
use domain::{
    alert_rule::{AlertRule, AlertRuleId, Comparator, NoData, Selector, Severity},
    decimal::ExactDecimal,
    device::DeviceId,
    duration::Duration,
    reading::Metric,
};
use serde::Serialize;

/// A threshold rule of a device or of a fleet.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AlertRule)]
pub(super) struct AlertRuleView {
    id: AlertRuleId,
    /// The device that it watches; null where it watches a fleet.
    #[schema(required = true)]
    device_id: Option<DeviceId>,
    /// The devices that it watches; null where it watches a single one.
    #[schema(required = true)]
    selector: Option<Selector>,
    /// What to call the rule.
    #[schema(example = "temperature gt 100")]
    name: String,
    metric: Metric,
    comparator: Comparator,
    threshold: ExactDecimal,
    /// The value that another value must get back to before the alert ends; null for `threshold`.
    #[schema(required = true)]
    clear_threshold: Option<ExactDecimal>,
    /// How long the condition must hold, in measured time, before the rule fires; null where it fires at once.
    #[serde(rename = "for")]
    #[schema(required = true, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "10m")]
    hold_for: Option<Duration>,
    /// How long all must be clear, in measured time, before the alert ends; null where it ends at once.
    #[schema(required = true, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "5m")]
    keep_firing_for: Option<Duration>,
    /// What happens when data stops; null for nothing.
    #[schema(required = true)]
    no_data: Option<NoData>,
    severity: Severity,
    /// Whether the rule is armed.
    enabled: bool,
    /// Counts its edits, from 1.
    #[schema(minimum = 1, example = 1)]
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<AlertRule> for AlertRuleView {
    fn from(rule: AlertRule) -> Self {
        Self {
            id: rule.id,
            device_id: rule.target.device(),
            selector: rule.target.selector().cloned(),
            name: rule.name,
            metric: rule.metric,
            comparator: rule.condition.comparator(),
            threshold: rule.condition.threshold(),
            clear_threshold: rule.condition.clear_threshold(),
            hold_for: rule.condition.held_for(),
            keep_firing_for: rule.condition.kept_firing_for(),
            no_data: rule.no_data,
            severity: rule.severity,
            enabled: rule.enabled,
            version: rule.version,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
        }
    }
}
