//! Edits of a rule.

use super::{
    AlertRule, ClearThresholdError, Comparator, Condition, NoData, NoDataAction, SelectorChange,
    SelectorError, Severity, Target,
};
use crate::{
    Timestamp, decimal::ExactDecimal, device::present, duration::Duration, reading::Metric,
    user::DisplayName,
};
use serde::Deserialize;

/// A merge patch (RFC 7396) of a rule: what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"threshold": 25}))]
pub struct AlertRuleChange {
    /// What to call the rule; null for its condition in words.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DisplayName>, required = false)]
    pub name: Option<Option<DisplayName>>,
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
    /// The value that another value must get back to before the alert ends; null for `threshold`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ExactDecimal>, required = false)]
    pub clear_threshold: Option<Option<ExactDecimal>>,
    /// How long the condition must hold before the rule fires; null to fire at once.
    #[serde(default, rename = "for", deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "10m")]
    pub hold_for: Option<Option<Duration>>,
    /// How long all must be clear before the alert ends; null to end at once.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "5m")]
    pub keep_firing_for: Option<Option<Duration>>,
    /// What happens when data stops; null for nothing.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<NoDataChange>, required = false)]
    pub no_data: Option<Option<NoDataChange>>,
    /// Which devices it watches; only of a rule that was made with a selector.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SelectorChange, required = false)]
    pub selector: Option<SelectorChange>,
    /// How bad it is when the rule fires; null for the usual `warning`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Severity>, required = false)]
    pub severity: Option<Option<Severity>>,
    /// Whether the rule is armed; null for the usual `true`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>, required = false, example = true)]
    pub enabled: Option<Option<bool>>,
}

/// A merge patch of what happens when data stops; both are needed where there was nothing before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoDataChange {
    /// For how long no reading has arrived.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "5m")]
    pub after: Option<Duration>,
    /// What happens then.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = NoDataAction, required = false)]
    pub action: Option<NoDataAction>,
}

/// What a change would make of a rule is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlertRuleChangeError {
    /// The clear threshold would be on the wrong side.
    #[error(transparent)]
    ClearThreshold(#[from] ClearThresholdError),
    /// One of the two members is missing, and there is none to keep.
    #[error("must have both after and action")]
    NoData,
    /// The rule is of a single device.
    #[error("can be changed only of a rule that was made with one")]
    NoSelector,
    /// It would choose nothing that makes sense.
    #[error(transparent)]
    Selector(#[from] SelectorError),
}

/// What an edit means for the alerts that the rule may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditEffect {
    /// What was open stays open.
    None,
    /// The condition or the devices are others: open alerts end, and judging begins anew.
    ConditionChanged,
    /// The rule is no longer armed: open alerts end.
    Disabled,
}

impl AlertRuleChange {
    /// The rule with this change made to it, and what that means for open alerts; or what is wrong with it then.
    ///
    /// The version goes up by one when anything changed.
    pub fn apply(
        self,
        rule: &AlertRule,
        now: Timestamp,
    ) -> Result<(AlertRule, EditEffect), AlertRuleChangeError> {
        let mut edited = rule.clone();
        edited.condition = self.condition(&rule.condition)?;
        edited.no_data = self.no_data(rule.no_data)?;
        edited.target = self.target(&rule.target)?;
        edited.metric = self.metric.unwrap_or(edited.metric);
        if let Some(severity) = self.severity {
            edited.severity = severity.unwrap_or_default();
        }
        if let Some(enabled) = self.enabled {
            edited.enabled = enabled.unwrap_or(true);
        }
        let unnamed = rule.name == rule.condition.name(&rule.metric);
        edited.name = match self.name {
            Some(Some(name)) => name.into(),
            None if !unnamed => edited.name,
            Some(None) | None => edited.condition.name(&edited.metric),
        };
        if edited == *rule {
            return Ok((edited, EditEffect::None));
        }
        edited.version = rule.version.saturating_add(1);
        edited.updated_at = now;
        let same = edited.metric == rule.metric
            && edited.condition == rule.condition
            && edited.target == rule.target;
        let effect = match (edited.enabled, same) {
            (false, _) => EditEffect::Disabled,
            (true, false) => EditEffect::ConditionChanged,
            (true, true) => EditEffect::None,
        };
        Ok((edited, effect))
    }

    fn condition(&self, before: &Condition) -> Result<Condition, ClearThresholdError> {
        let comparator = self.comparator.unwrap_or(before.comparator());
        let threshold = self.threshold.unwrap_or(before.threshold());
        Condition::new(comparator, threshold)
            .lasting(
                self.hold_for.unwrap_or(before.held_for()),
                self.keep_firing_for.unwrap_or(before.kept_firing_for()),
            )
            .clear_at(self.clear_threshold.unwrap_or(before.clear_threshold()))
    }

    fn no_data(&self, before: Option<NoData>) -> Result<Option<NoData>, AlertRuleChangeError> {
        match self.no_data {
            None => Ok(before),
            Some(None) => Ok(None),
            Some(Some(NoDataChange { after, action })) => {
                let after = after.or(before.map(|it| it.after));
                let action = action.or(before.map(|it| it.action));
                let both = after
                    .zip(action)
                    .map(|(after, action)| NoData { after, action });
                both.map(Some).ok_or(AlertRuleChangeError::NoData)
            }
        }
    }

    /// What the rule watches with this change made to it.
    pub fn target(&self, before: &Target) -> Result<Target, AlertRuleChangeError> {
        match (&self.selector, before) {
            (None, _) => Ok(before.clone()),
            (Some(change), Target::Fleet(selector)) => {
                Ok(Target::Fleet(selector.changed(change.clone())?))
            }
            (Some(_), Target::Device(_)) => Err(AlertRuleChangeError::NoSelector),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert_rule::{
            AlertRuleId,
            tests::{condition, number},
        },
        device::DeviceId,
    };

    fn rule() -> AlertRule {
        AlertRule {
            id: AlertRuleId(uuid::Uuid::nil()),
            target: Target::Device(DeviceId(uuid::Uuid::nil())),
            name: "rule".to_owned(),
            metric: Metric::parse("t").unwrap(),
            condition: condition("gt", "10", Some("9"), None, Some("1m")),
            no_data: None,
            severity: Severity::Warning,
            enabled: true,
            version: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    fn edit(rule: &AlertRule, text: &str) -> Result<(AlertRule, EditEffect), AlertRuleChangeError> {
        let change: AlertRuleChange = serde_json::from_str(text).unwrap();
        change.apply(rule, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_rule_without_a_name_is_called_by_its_condition() {
        let mut rule = rule();
        let name = |rule: &AlertRule| edit(rule, r#"{"threshold": 11}"#).unwrap().0.name;
        assert_eq!(name(&rule), "rule");
        rule.name = "t gt 10".to_owned();
        assert_eq!(name(&rule), "t gt 11");
    }

    #[test]
    fn an_edit_counts_once_and_tells_its_effect() {
        let rule = rule();
        assert_eq!(edit(&rule, "{}"), Ok((rule.clone(), EditEffect::None)));
        for (text, expected) in [
            (r#"{"threshold": 10.0}"#, EditEffect::None),
            (r#"{"severity": "info"}"#, EditEffect::None),
            (
                r#"{"no_data": {"after": "5m", "action": "resolve"}}"#,
                EditEffect::None,
            ),
            (r#"{"threshold": 11}"#, EditEffect::ConditionChanged),
            (r#"{"clear_threshold": null}"#, EditEffect::ConditionChanged),
            (r#"{"for": "10m"}"#, EditEffect::ConditionChanged),
            (r#"{"keep_firing_for": null}"#, EditEffect::ConditionChanged),
            (r#"{"enabled": false, "metric": "u"}"#, EditEffect::Disabled),
        ] {
            let (edited, effect) = edit(&rule, text).unwrap();
            assert_eq!(effect, expected, "{text}");
            let counts = i32::from(text != r#"{"threshold": 10.0}"#);
            assert_eq!(edited.version, 1 + counts, "{text}");
        }
        let (edited, _) = edit(&rule, r#"{"for": "10m"}"#).unwrap();
        assert_eq!(
            edited.condition,
            condition("gt", "10", Some("9"), Some("10m"), Some("1m"))
        );
    }

    #[test]
    fn null_is_what_a_rule_is_made_with() {
        let text = r#"{"severity": "info", "enabled": false, "name": "Hot", "for": "5m"}"#;
        let (other, _) = edit(&rule(), text).unwrap();
        let text = r#"{"severity": null, "enabled": null, "name": null, "for": null}"#;
        let (back, _) = edit(&other, text).unwrap();
        assert_eq!((back.severity, back.enabled), (Severity::Warning, true));
        assert_eq!((back.name.as_str(), back.version), ("t gt 10", 3));
        assert_eq!(back.condition, rule().condition);
    }

    #[test]
    fn an_edit_that_fits_nothing_is_refused() {
        let rule = rule();
        let error = |text: &str| edit(&rule, text).unwrap_err().to_string();
        assert!(error(r#"{"threshold": 8}"#).contains("at most threshold"));
        assert!(error(r#"{"comparator": "lt"}"#).contains("at least threshold"));
        assert!(error(r#"{"no_data": {"after": "5m"}}"#).contains("both"));
        assert!(error(r#"{"selector": {"tags": {"a": "b"}}}"#).contains("made with one"));
        let (edited, _) = edit(&rule, r#"{"threshold": 8, "clear_threshold": 8}"#).unwrap();
        assert_eq!(edited.condition.threshold(), number("8"));
    }
}
