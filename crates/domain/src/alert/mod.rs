//! Alerts: what a rule opens, and what becomes of it.

mod judge;
mod machine;
mod run;
mod timeline;

pub use judge::{Judged, Progress, Stretch, Window, is_unmoved};
pub use machine::{Episode, Measured, Phase, State};
pub use run::{EpisodeChange, Run, Transition};
pub use timeline::{TimelineEntry, TransitionCause};

use crate::{
    Timestamp,
    alert_rule::{AlertRuleId, Comparator, Severity},
    decimal::ExactDecimal,
    device::DeviceId,
    id::id,
    reading::Metric,
    user::UserId,
};
use serde::{Deserialize, Serialize};

id!(
    /// Identifies an alert.
    AlertId
);

/// Whether an alert is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// The condition held at the newest reading.
    Firing,
    /// The alert is over.
    Resolved,
}

impl AlertStatus {
    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What an alert tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Values beyond the threshold.
    Threshold,
    /// Silence.
    NoData,
}

impl AlertKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Threshold, Self::NoData];

    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::NoData => "no_data",
        }
    }
}

/// Why an alert is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedReason {
    /// A reading was clear of the threshold.
    Recovered,
    /// Its owner said so.
    Manual,
    /// Data stopped.
    NoData,
    /// The rule's condition or devices became others, or the device left its fleet.
    RuleChanged,
    /// The rule was disarmed.
    RuleDisabled,
    /// The rule was deleted.
    RuleDeleted,
    /// The device was deleted.
    DeviceDeleted,
}

impl ResolvedReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Recovered,
        Self::Manual,
        Self::NoData,
        Self::RuleChanged,
        Self::RuleDisabled,
        Self::RuleDeleted,
        Self::DeviceDeleted,
    ];

    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Manual => "manual",
            Self::NoData => "no_data",
            Self::RuleChanged => "rule_changed",
            Self::RuleDisabled => "rule_disabled",
            Self::RuleDeleted => "rule_deleted",
            Self::DeviceDeleted => "device_deleted",
        }
    }
}

/// An alert that a rule opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Identifies the alert.
    pub id: AlertId,
    /// The rule that opened it.
    pub rule_id: AlertRuleId,
    /// The device whose reading, or silence, opened it.
    pub device_id: DeviceId,
    /// What it tells of.
    pub kind: AlertKind,
    /// The metric of that reading.
    pub metric: Metric,
    /// The comparator of the rule at that time.
    pub comparator: Comparator,
    /// The threshold of the rule at that time.
    pub threshold: ExactDecimal,
    /// The clear threshold of the rule at that time.
    pub clear_threshold: Option<ExactDecimal>,
    /// The version of the rule at that time.
    pub rule_version: i32,
    /// The severity of the rule at that time.
    pub severity: Severity,
    /// Whether it is still open.
    pub status: AlertStatus,
    /// Time of measurement of the reading that opened it.
    pub triggered_at: Timestamp,
    /// Time of measurement of the reading that ended it, or when it was ended otherwise.
    pub resolved_at: Option<Timestamp>,
    /// The value that opened it; none of silence.
    pub value: Option<ExactDecimal>,
    /// The worst value from the first breach on.
    pub peak_value: Option<ExactDecimal>,
    /// When the worst value was measured first.
    pub peak_at: Option<Timestamp>,
    /// Why it is over.
    pub resolved_reason: Option<ResolvedReason>,
    /// When someone took note of it.
    pub acknowledged_at: Option<Timestamp>,
    /// Who took note of it.
    pub acknowledged_by: Option<UserId>,
    /// What they wrote.
    pub note: Option<String>,
}

/// Why an alert cannot be acknowledged or resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the alert is already resolved")]
pub struct AlreadyResolved;

/// What someone writes who takes note of an alert: at most 1000 characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, max_length = 1000, example = json!("Looking into it"))]
pub struct Note(String);

/// The note is too long, or has a character that cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at most 1000 characters, and no null character")]
pub struct NoteError;

impl TryFrom<String> for Note {
    type Error = NoteError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() <= 1000 && !text.contains('\0') {
            Ok(Self(text))
        } else {
            Err(NoteError)
        }
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}
