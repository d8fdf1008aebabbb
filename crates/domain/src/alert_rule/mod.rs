//! Threshold rules: which readings of a device are worth an alert.

mod change;
mod comparator;
mod condition;
mod no_data;
mod target;

pub use change::{AlertRuleChange, AlertRuleChangeError, EditEffect, NoDataChange};
pub use comparator::Comparator;
pub use condition::{ClearThresholdError, Condition};
pub use no_data::{NoData, NoDataAction};
pub use target::{Selector, SelectorChange, SelectorError, Target};

use crate::{
    Timestamp, decimal::ExactDecimal, duration::Duration, id::id, reading::Metric,
    user::DisplayName,
};
use serde::{Deserialize, Serialize};

id!(
    /// Identifies an alert rule.
    AlertRuleId
);

/// Most rules that one device has by itself, and most of an owner that watch fleets: every reading of a metric is
/// judged by all of them.
pub const MAX_RULES: u64 = 100;

/// There are as many rules as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are {MAX_RULES} rules already, which is the maximum for a device, and for the fleets of an owner"
)]
pub struct TooManyRules;

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
#[schema(example = json!({"name": "Too warm", "metric": "temperature", "comparator": "gt", "threshold": 20}))]
pub struct NewAlertRule {
    /// What to call the rule; by default its condition, such as `temperature gt 100`.
    pub name: Option<DisplayName>,
    /// The metric that it watches.
    pub metric: Metric,
    /// How a value is compared with the threshold.
    pub comparator: Comparator,
    /// The value that it is compared with.
    pub threshold: ExactDecimal,
    /// The value that another value must get back to before the alert ends, so that it does not flap: on the
    /// side of `threshold` where the rule does not fire. By default `threshold` itself.
    #[serde(default)]
    #[schema(nullable, example = 95)]
    pub clear_threshold: Option<ExactDecimal>,
    /// How long the condition must hold, in measured time, before the rule fires; by default it fires at once.
    #[serde(default, rename = "for")]
    #[schema(nullable, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "10m")]
    pub hold_for: Option<Duration>,
    /// How long all must be clear, in measured time, before the alert ends; by default it ends at once.
    #[serde(default)]
    #[schema(nullable, pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "5m")]
    pub keep_firing_for: Option<Duration>,
    /// What happens when data stops; by default nothing, and a firing alert goes on.
    #[serde(default)]
    pub no_data: Option<NoData>,
    /// Which devices it watches, where it is not the one of the path.
    #[serde(default)]
    #[schema(ignore)]
    pub selector: Option<Selector>,
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
    /// When it fires and when it is over.
    pub fn condition(&self) -> Result<Condition, ClearThresholdError> {
        Condition::new(self.comparator, self.threshold)
            .lasting(self.hold_for, self.keep_firing_for)
            .clear_at(self.clear_threshold)
    }

    /// The given name, or the condition in words.
    #[must_use]
    pub fn display_name(&self) -> String {
        let condition = Condition::new(self.comparator, self.threshold);
        let name = self.name.as_ref().map(|name| name.as_str().to_owned());
        name.unwrap_or_else(|| condition.name(&self.metric))
    }
}

/// A rule of some owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// Identifies the rule.
    pub id: AlertRuleId,
    /// The devices whose readings it watches.
    pub target: Target,
    /// What to call it.
    pub name: String,
    /// The metric that it watches.
    pub metric: Metric,
    /// When it fires and when it is over.
    pub condition: Condition,
    /// What happens when data stops.
    pub no_data: Option<NoData>,
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn number(text: &str) -> ExactDecimal {
        ExactDecimal::parse(text).unwrap()
    }

    /// Comparator, threshold, clear threshold, `for` and `keep_firing_for`.
    pub(crate) fn condition(
        comparator: &str,
        threshold: &str,
        clear: Option<&str>,
        hold_for: Option<&str>,
        keep_firing_for: Option<&str>,
    ) -> Condition {
        let comparator = serde_json::from_value(serde_json::json!(comparator)).unwrap();
        let duration = |text: &str| Duration::parse(text).unwrap();
        Condition::new(comparator, number(threshold))
            .lasting(hold_for.map(duration), keep_firing_for.map(duration))
            .clear_at(clear.map(number))
            .unwrap()
    }
}
