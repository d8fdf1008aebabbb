//! When a rule fires and when it resolves, decided by the time of measurement alone.

use super::AlertId;
use crate::{
    Timestamp,
    alert_rule::{AlertRule, Comparator},
    decimal::ExactDecimal,
};

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
