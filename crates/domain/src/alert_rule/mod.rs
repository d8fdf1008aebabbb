//! Threshold rules: which readings of a device are worth an alert.

mod comparator;

pub use comparator::Comparator;

use crate::{
    Timestamp, decimal::ExactDecimal, device::DeviceId, device::present, id::id, reading::Metric,
    user::DisplayName,
};
use serde::{Deserialize, Serialize};

id!(
    /// Identifies an alert rule.
    AlertRuleId
);

/// How bad it is when the rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Someone must act now.
    Critical,
    /// Someone should look.
    #[default]
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What a rule is made with.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlertRule {
    /// What to call the rule; by default its condition, such as `temperature gt 100`.
    pub name: Option<DisplayName>,
    /// The metric that it watches.
    pub metric: Metric,
    /// How a value is compared with the threshold.
    pub comparator: Comparator,
    /// The value that it is compared with.
    pub threshold: ExactDecimal,
    /// How bad it is when the rule fires.
    #[serde(default)]
    pub severity: Severity,
    /// Whether the rule is armed.
    #[serde(default = "armed")]
    #[schema(default = true)]
    pub enabled: bool,
}

fn armed() -> bool {
    true
}

impl NewAlertRule {
    /// The given name, or the condition in words.
    #[must_use]
    pub fn display_name(&self) -> String {
        self.name.as_ref().map_or_else(
            || condition(&self.metric, self.comparator, self.threshold),
            |name| name.as_str().to_owned(),
        )
    }
}

/// A condition in words, which is the name of a rule that has no other.
fn condition(metric: &Metric, comparator: Comparator, threshold: ExactDecimal) -> String {
    format!("{} {} {threshold}", metric.as_str(), comparator.as_str())
}

/// A merge patch (RFC 7396) of a rule: what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleChange {
    /// What to call the rule.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DisplayName, required = false)]
    pub name: Option<DisplayName>,
    /// The metric that it watches.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Metric, required = false)]
    pub metric: Option<Metric>,
    /// How a value is compared with the threshold.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Comparator, required = false)]
    pub comparator: Option<Comparator>,
    /// The value that it is compared with.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = ExactDecimal, required = false)]
    pub threshold: Option<ExactDecimal>,
    /// How bad it is when the rule fires.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Severity, required = false)]
    pub severity: Option<Severity>,
    /// Whether the rule is armed.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false, example = true)]
    pub enabled: Option<bool>,
}

/// A rule of some device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// Identifies the rule.
    pub id: AlertRuleId,
    /// The device whose readings it watches.
    pub device_id: DeviceId,
    /// What to call it.
    pub name: String,
    /// The metric that it watches.
    pub metric: Metric,
    /// How a value is compared with the threshold.
    pub comparator: Comparator,
    /// The value that it is compared with.
    pub threshold: ExactDecimal,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// Whether it is armed.
    pub enabled: bool,
    /// Counts its edits, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

/// What an edit means for the alert that the rule may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditEffect {
    /// Name or severity alone changed, or nothing at all: an open alert stays open.
    None,
    /// The condition is another one: an open alert ends, and judging begins anew.
    ConditionChanged,
    /// The rule is no longer armed: an open alert ends.
    Disabled,
}

impl AlertRuleChange {
    /// The rule with this change made to it, and what that means for an open alert.
    ///
    /// The version goes up by one when anything changed.
    #[must_use]
    pub fn apply(self, rule: &AlertRule, now: Timestamp) -> (AlertRule, EditEffect) {
        let mut edited = rule.clone();
        edited.metric = self.metric.unwrap_or(edited.metric);
        edited.comparator = self.comparator.unwrap_or(edited.comparator);
        edited.threshold = self.threshold.unwrap_or(edited.threshold);
        edited.severity = self.severity.unwrap_or(edited.severity);
        edited.enabled = self.enabled.unwrap_or(edited.enabled);
        let unnamed = rule.name == condition(&rule.metric, rule.comparator, rule.threshold);
        edited.name = match self.name {
            Some(name) => name.into(),
            None if unnamed => condition(&edited.metric, edited.comparator, edited.threshold),
            None => edited.name,
        };
        if edited == *rule {
            return (edited, EditEffect::None);
        }
        edited.version = rule.version.saturating_add(1);
        edited.updated_at = now;
        let same_condition = edited.metric == rule.metric
            && edited.comparator == rule.comparator
            && edited.threshold == rule.threshold;
        let effect = match (edited.enabled, same_condition) {
            (false, _) => EditEffect::Disabled,
            (true, false) => EditEffect::ConditionChanged,
            (true, true) => EditEffect::None,
        };
        (edited, effect)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn number(text: &str) -> ExactDecimal {
        ExactDecimal::parse(text).unwrap()
    }

    pub(crate) fn rule(comparator: Comparator, threshold: &str) -> AlertRule {
        AlertRule {
            id: AlertRuleId(uuid::Uuid::nil()),
            device_id: DeviceId(uuid::Uuid::nil()),
            name: "rule".to_owned(),
            metric: Metric::parse("t").unwrap(),
            comparator,
            threshold: number(threshold),
            severity: Severity::Warning,
            enabled: true,
            version: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    #[test]
    fn a_rule_without_a_name_is_called_by_its_condition() {
        let mut rule = rule(Comparator::Gt, "10");
        let edit = |rule: &AlertRule| {
            let change = AlertRuleChange {
                threshold: Some(number("11")),
                ..Default::default()
            };
            change.apply(rule, rule.updated_at).0.name
        };
        assert_eq!(edit(&rule), "rule");
        rule.name = "t gt 10".to_owned();
        assert_eq!(edit(&rule), "t gt 11");
    }

    #[test]
    fn an_edit_counts_once_and_tells_its_effect() {
        let rule = rule(Comparator::Gt, "10");
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let edit = |text: &str| {
            serde_json::from_str::<AlertRuleChange>(text)
                .unwrap()
                .apply(&rule, now)
        };
        assert_eq!(edit("{}"), (rule.clone(), EditEffect::None));
        assert_eq!(edit(r#"{"threshold": 10.0}"#).1, EditEffect::None);
        let (edited, effect) = edit(r#"{"threshold": 11}"#);
        assert_eq!(
            (edited.version, edited.updated_at, effect),
            (2, now, EditEffect::ConditionChanged)
        );
        assert_eq!(edit(r#"{"severity": "info"}"#).1, EditEffect::None);
        assert_eq!(
            edit(r#"{"enabled": false, "metric": "u"}"#).1,
            EditEffect::Disabled
        );
    }
}
