//! The state machine of a rule on a device: ok → pending → firing → recovering → ok.
//!
//! Each step is one reading, in the order of measurement; nothing but the reading moves it.
//!
//! ```text
//!            breach                 breaching for `for`
//!     ok ───────────────► pending ────────────────────► firing ◄─────────┐
//!     ▲ ▲                    │                             │ clear       │ not clear
//!     │ └── does not breach ─┘                             ▼             │
//!     └────────── clear for `keep_firing_for` ──────── recovering ───────┘
//! ```
//!
//! Without `for` a breach fires at once, and without `keep_firing_for` the first clear reading ends it. What
//! lies between the two thresholds neither breaches nor is clear.

use crate::{Timestamp, alert_rule::Condition, decimal::ExactDecimal};
use serde::{Deserialize, Serialize};

/// A value, and when it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// When it was measured.
    pub at: Timestamp,
    /// The value.
    pub value: ExactDecimal,
}

/// Where a rule stands on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Ok,
    /// The condition holds, though not long enough yet.
    Pending {
        /// The reading since which it holds.
        began: Measured,
        /// The worst one since then.
        peak: Measured,
    },
    /// The condition has held long enough.
    Firing(Episode),
    /// All is clear, though not long enough yet.
    Recovering {
        /// What may be over.
        episode: Episode,
        /// The reading since which all is clear.
        since: Measured,
    },
}

/// A stretch of time in which a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// The reading since which the condition holds.
    pub began: Measured,
    /// The reading at which it had held long enough.
    pub triggered: Measured,
    /// The worst reading, of several equal ones the first.
    pub peak: Measured,
}

/// The name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing is wrong, or no longer.
    Ok,
    /// The condition holds, though not for as long as `for` yet.
    Pending,
    /// The alert is open.
    Firing,
    /// The alert is open, and all is clear, though not for as long as `keep_firing_for` yet.
    Recovering,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Pending, Self::Firing, Self::Recovering];

    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
        }
    }
}

impl State {
    /// Its name.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Ok => Phase::Ok,
            Self::Pending { .. } => Phase::Pending,
            Self::Firing(_) => Phase::Firing,
            Self::Recovering { .. } => Phase::Recovering,
        }
    }

    /// The episode that goes on, if the rule fires.
    #[must_use]
    pub fn episode(&self) -> Option<Episode> {
        match self {
            Self::Ok | Self::Pending { .. } => None,
            Self::Firing(episode) | Self::Recovering { episode, .. } => Some(*episode),
        }
    }

    /// The state after a reading that was measured after all before.
    #[must_use]
    pub fn step(self, condition: &Condition, reading: Measured) -> Self {
        let breaches = condition.breaches(reading.value);
        let is_clear = condition.is_clear(reading.value);
        match self {
            Self::Ok if breaches => begin(condition, reading, reading, reading),
            Self::Pending { began, peak } if breaches => {
                begin(condition, began, condition.worse(peak, reading), reading)
            }
            Self::Ok | Self::Pending { .. } => Self::Ok,
            Self::Firing(episode) if is_clear => recover(condition, episode, reading, reading),
            Self::Recovering { episode, since } if is_clear => {
                recover(condition, episode, since, reading)
            }
            Self::Firing(episode) | Self::Recovering { episode, .. } => Self::Firing(Episode {
                peak: condition.worse(episode.peak, reading),
                ..episode
            }),
        }
    }
}

/// Fires, or waits until the condition has held long enough.
fn begin(condition: &Condition, began: Measured, peak: Measured, now: Measured) -> State {
    if now.at - began.at < condition.hold_for() {
        return State::Pending { began, peak };
    }
    State::Firing(Episode {
        began,
        triggered: now,
        peak,
    })
}

/// Ends an episode, or waits until all has been clear long enough.
fn recover(condition: &Condition, episode: Episode, since: Measured, now: Measured) -> State {
    if now.at - since.at < condition.keep_firing_for() {
        State::Recovering { episode, since }
    } else {
        State::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rule::tests::{condition, number};
    use chrono::TimeDelta;

    fn reading(second: i64, value: &str) -> Measured {
        Measured {
            at: Timestamp::default() + TimeDelta::seconds(second),
            value: number(value),
        }
    }

    /// The phases after each reading, one a second.
    fn phases(condition: &Condition, values: &[&str]) -> Vec<Phase> {
        let mut state = State::Ok;
        let step = |(second, value): (i64, &&str)| {
            state = state.step(condition, reading(second, value));
            state.phase()
        };
        (0..).zip(values).map(step).collect()
    }

    #[test]
    fn a_plain_rule_fires_with_a_breach_and_ends_with_the_first_clear_reading() {
        use Phase::{Firing, Ok};
        let condition = condition("gt", "100", None, None, None);
        let values = ["100", "101", "105", "100", "101", "99.9"];
        assert_eq!(
            phases(&condition, &values),
            [Ok, Firing, Firing, Ok, Firing, Ok]
        );
    }

    #[test]
    fn between_the_thresholds_nothing_begins_and_nothing_ends() {
        use Phase::{Firing, Ok};
        let condition = condition("gte", "100", Some("95"), None, None);
        let values = ["97", "100", "97", "95", "94.9", "97", "100"];
        assert_eq!(
            phases(&condition, &values),
            [Ok, Firing, Firing, Firing, Ok, Ok, Firing]
        );
    }

    #[test]
    fn a_breach_must_hold_and_a_recovery_too() {
        use Phase::{Firing, Ok, Pending, Recovering};
        let condition = condition("lt", "0", Some("1"), Some("2s"), Some("3s"));
        let values = [
            "-1", "0", "-1", "-2", "-1", "1", "0.5", "1", "2", "1", "1", "-5",
        ];
        assert_eq!(
            phases(&condition, &values),
            [
                Pending, Ok, Pending, Pending, Firing, Recovering, Firing, Recovering, Recovering,
                Recovering, Ok, Pending
            ]
        );
    }

    #[test]
    fn an_episode_knows_when_it_began_and_its_first_worst_value() {
        let condition = condition("gt", "10", None, Some("2s"), Some("1m"));
        let values = ["11", "13", "12", "14", "10", "14.0", "13"];
        let mut state = State::Ok;
        for (second, value) in (0..).zip(values) {
            state = state.step(&condition, reading(second, value));
        }
        let episode = state.episode().unwrap();
        assert_eq!(episode.began, reading(0, "11"));
        assert_eq!(episode.triggered, reading(2, "12"));
        assert_eq!(episode.peak, reading(3, "14"));
    }
}
