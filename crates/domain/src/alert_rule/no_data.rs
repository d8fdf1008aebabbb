//! What a rule makes of silence.

use crate::duration::Duration;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What happens when a rule has had no reading for a while, by the clock of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoData {
    /// For how long no reading has arrived.
    #[schema(pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "5m")]
    pub after: Duration,
    /// What happens then.
    pub action: NoDataAction,
}

impl NoData {
    /// How long to wait for a reading before anything happens; none where nothing will.
    #[must_use]
    pub fn patience(self) -> Option<TimeDelta> {
        match self.action {
            NoDataAction::Keep => None,
            NoDataAction::Alert | NoDataAction::Resolve => Some(self.after.into()),
        }
    }
}

/// What happens when data stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoDataAction {
    /// An alert of the kind `no_data` opens, unless one is open already; it ends when data comes again.
    Alert,
    /// Nothing: a firing alert goes on.
    Keep,
    /// A firing alert ends with the reason `no_data`.
    Resolve,
}

impl NoDataAction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Alert, Self::Keep, Self::Resolve];

    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Keep => "keep",
            Self::Resolve => "resolve",
        }
    }
}
