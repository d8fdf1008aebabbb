//! What happened to an alert, one thing after the other.

use super::Phase;
use crate::{Timestamp, decimal::ExactDecimal};
use serde::{Deserialize, Serialize};

/// What made an alert go from one phase to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransitionCause {
    /// A reading.
    Reading,
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

impl TransitionCause {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Reading,
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
            Self::Reading => "reading",
            Self::Manual => "manual",
            Self::NoData => "no_data",
            Self::RuleChanged => "rule_changed",
            Self::RuleDisabled => "rule_disabled",
            Self::RuleDeleted => "rule_deleted",
            Self::DeviceDeleted => "device_deleted",
        }
    }
}

/// Something that happened to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Orders entries of the same time.
    pub id: i64,
    /// Time of measurement of the reading that caused it, or when it was caused otherwise.
    pub at: Timestamp,
    /// The phase before.
    pub from: Phase,
    /// The phase after.
    pub to: Phase,
    /// What caused it.
    pub cause: TransitionCause,
    /// The value of the reading that caused it.
    pub value: Option<ExactDecimal>,
    /// What that value was compared with.
    pub threshold: Option<ExactDecimal>,
    /// The version of the rule by which it happened.
    pub rule_version: i32,
}
