//! Alerts as they are answered.

use chrono::{DateTime, Utc};
use domain::{
    alert::{Alert, AlertId, AlertKind, AlertStatus, ResolvedReason},
    alert_rule::{AlertRuleId, Comparator, Severity},
    decimal::ExactDecimal,
    device::DeviceId,
    reading::Metric,
    user::UserId,
};
use serde::Serialize;

/// An alert that a rule opened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Alert)]
pub(super) struct AlertView {
    id: AlertId,
    rule_id: AlertRuleId,
    device_id: DeviceId,
    kind: AlertKind,
    status: AlertStatus,
    /// Time of measurement of the reading at which the condition had held long enough; of silence, when it had
    /// lasted too long.
    triggered_at: DateTime<Utc>,
    /// Time of measurement of the reading that ended it, or when it was ended otherwise; of silence, when data came
    /// again.
    #[schema(required = true)]
    resolved_at: Option<DateTime<Utc>>,
    /// The value that opened it; null of silence.
    #[schema(required = true)]
    value: Option<ExactDecimal>,
    /// The worst value from the first breach on; null of silence.
    #[schema(required = true)]
    peak_value: Option<ExactDecimal>,
    /// When the worst value was first measured; null of silence.
    #[schema(required = true)]
    peak_at: Option<DateTime<Utc>>,
    /// The threshold of the rule at that time.
    threshold: ExactDecimal,
    /// The clear threshold of the rule at that time.
    #[schema(required = true)]
    clear_threshold: Option<ExactDecimal>,
    comparator: Comparator,
    metric: Metric,
    severity: Severity,
    /// The version of the rule at that time.
    #[schema(minimum = 1, example = 1)]
    rule_version: i32,
    #[schema(required = true)]
    resolved_reason: Option<ResolvedReason>,
    /// When someone took note of it.
    #[schema(required = true)]
    acknowledged_at: Option<DateTime<Utc>>,
    /// Who took note of it.
    #[schema(required = true)]
    acknowledged_by: Option<UserId>,
    /// What they wrote.
    #[schema(required = true, example = "Looking into it")]
    note: Option<String>,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            rule_id: alert.rule_id,
            device_id: alert.device_id,
            kind: alert.kind,
            status: alert.status,
            triggered_at: alert.triggered_at,
            resolved_at: alert.resolved_at,
            value: alert.value,
            peak_value: alert.peak_value,
            peak_at: alert.peak_at,
            threshold: alert.threshold,
            clear_threshold: alert.clear_threshold,
            comparator: alert.comparator,
            metric: alert.metric,
            severity: alert.severity,
            rule_version: alert.rule_version,
            resolved_reason: alert.resolved_reason,
            acknowledged_at: alert.acknowledged_at,
            acknowledged_by: alert.acknowledged_by,
            note: alert.note,
        }
    }
}
