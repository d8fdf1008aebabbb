//! Alerts: when a rule fires and when it resolves, decided by the time of measurement alone.

use crate::{
    Timestamp,
    alert_rule::{AlertRule, AlertRuleId, Comparator, Severity},
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
    /// The rule's condition became another one.
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
    /// The device whose reading opened it.
    pub device_id: DeviceId,
    /// The metric of that reading.
    pub metric: Metric,
    /// The comparator of the rule at that time.
    pub comparator: Comparator,
    /// The threshold of the rule at that time.
    pub threshold: ExactDecimal,
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
    /// The value that opened it.
    pub value: ExactDecimal,
    /// The worst value while it was open.
    pub peak_value: ExactDecimal,
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

/// How far a rule has come in judging the readings of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleState {
    /// Time of measurement of the newest reading that it has judged.
    pub evaluated_until: Option<Timestamp>,
    /// The alert that is open.
    pub open: Option<Episode>,
}

/// One stretch of time in which a rule's condition held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// The alert that it is stored as, if it is stored already.
    pub alert_id: Option<AlertId>,
    /// Time of the reading that began it.
    pub triggered_at: Timestamp,
    /// Time of the reading that ended it.
    pub resolved_at: Option<Timestamp>,
    /// The value that began it.
    pub value: ExactDecimal,
    /// The worst value in it.
    pub peak_value: ExactDecimal,
}

/// What judging some readings came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The state to go on from.
    pub state: RuleState,
    /// Episodes that began, got worse or ended, oldest first; at most the last one is still open.
    pub changed: Vec<Episode>,
}

/// Judges readings of the rule's metric, given by time of measurement and value, in any order.
///
/// A reading that is not newer than the newest one judged before changes nothing: the past is not
/// rewritten by what arrives late.
#[must_use]
pub fn evaluate(
    rule: &AlertRule,
    state: RuleState,
    readings: &[(Timestamp, ExactDecimal)],
) -> Evaluation {
    let mut newer: Vec<_> = readings
        .iter()
        .copied()
        .filter(|(at, _)| state.evaluated_until.is_none_or(|until| *at > until))
        .collect();
    newer.sort_unstable_by_key(|(at, _)| *at);

    let mut open = state.open;
    let mut changed = Vec::new();
    for (at, value) in &newer {
        let breaches = rule.comparator.breaches(*value, rule.threshold);
        open = match (open, breaches) {
            (None, false) => None,
            (None, true) => Some(Episode::begin(*at, *value)),
            (Some(episode), true) => Some(episode.go_on(rule.comparator, *value)),
            (Some(episode), false) => {
                changed.push(Episode {
                    resolved_at: Some(*at),
                    ..episode
                });
                None
            }
        };
    }
    if open != state.open {
        changed.extend(open);
    }
    let evaluated_until = newer.last().map(|(at, _)| *at).or(state.evaluated_until);
    Evaluation {
        state: RuleState {
            evaluated_until,
            open,
        },
        changed,
    }
}

impl Episode {
    fn begin(at: Timestamp, value: ExactDecimal) -> Self {
        Self {
            alert_id: None,
            triggered_at: at,
            resolved_at: None,
            value,
            peak_value: value,
        }
    }

    fn go_on(self, comparator: Comparator, value: ExactDecimal) -> Self {
        Self {
            peak_value: comparator.worse(self.peak_value, value),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rule::tests::{number, rule};
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default() + TimeDelta::seconds(seconds)
    }

    fn readings(values: &[(i64, &str)]) -> Vec<(Timestamp, ExactDecimal)> {
        values
            .iter()
            .map(|(second, value)| (at(*second), number(value)))
            .collect()
    }

    #[test]
    fn an_episode_begins_with_a_breach_and_ends_with_the_first_clear_reading() {
        let rule = rule(Comparator::Gt, "100");
        let readings = readings(&[
            (1, "99"),
            (2, "101"),
            (3, "105"),
            (4, "102"),
            (5, "100"),
            (6, "99"),
        ]);
        let Evaluation { state, changed } = evaluate(&rule, RuleState::default(), &readings);
        assert_eq!(
            state,
            RuleState {
                evaluated_until: Some(at(6)),
                open: None
            }
        );
        let [episode] = changed[..] else {
            panic!("{changed:?}")
        };
        assert_eq!(
            (episode.triggered_at, episode.resolved_at),
            (at(2), Some(at(5)))
        );
        assert_eq!(
            (episode.value, episode.peak_value),
            (number("101"), number("105"))
        );
    }

    #[test]
    fn what_arrives_late_changes_nothing() {
        let rule = rule(Comparator::Lt, "0");
        let first = evaluate(&rule, RuleState::default(), &readings(&[(10, "-1")]));
        let late = evaluate(&rule, first.state, &readings(&[(9, "5"), (10, "5")]));
        assert_eq!(
            late,
            Evaluation {
                state: first.state,
                changed: vec![]
            }
        );
    }

    #[test]
    fn a_breach_that_is_no_worse_changes_nothing_but_the_time() {
        let rule = rule(Comparator::Lt, "0");
        let first = evaluate(&rule, RuleState::default(), &readings(&[(1, "-5")]));
        let second = evaluate(&rule, first.state, &readings(&[(2, "-4")]));
        assert!(second.changed.is_empty());
        assert_eq!(second.state.evaluated_until, Some(at(2)));
    }

    /// The episodes that are known in the end, from the changes of each step.
    fn settle(rule: &AlertRule, batches: &[Vec<(Timestamp, ExactDecimal)>]) -> Vec<Episode> {
        let mut state = RuleState::default();
        let mut episodes: Vec<Episode> = Vec::new();
        for batch in batches {
            let evaluation = evaluate(rule, state, batch);
            state = evaluation.state;
            for episode in evaluation.changed {
                episodes.retain(|known| known.triggered_at != episode.triggered_at);
                episodes.push(episode);
            }
        }
        episodes
    }

    proptest! {
        #[test]
        fn any_split_of_ordered_readings_ends_in_the_same_episodes(
            values in prop::collection::vec(-3_i64..4, 1..60),
            cuts in prop::collection::vec(any::<bool>(), 60),
        ) {
            let rule = rule(Comparator::Gte, "1");
            let all: Vec<_> = (0..).map(at).zip(values.iter().map(|v| number(&v.to_string()))).collect();
            let mut batches = vec![Vec::new()];
            for (reading, cut) in all.iter().zip(cuts) {
                if cut { batches.push(Vec::new()); }
                batches.last_mut().unwrap().push(*reading);
            }
            let whole = settle(&rule, &[all]);
            prop_assert_eq!(&settle(&rule, &batches), &whole);
            prop_assert!(whole.windows(2).all(|pair| pair[0].resolved_at.unwrap() <= pair[1].triggered_at));
        }
    }
}
