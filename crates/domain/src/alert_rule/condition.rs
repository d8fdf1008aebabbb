//! When a rule fires and when it is over.

use super::Comparator;
use crate::{
    alert::{Measured, Phase, Transition},
    decimal::ExactDecimal,
    duration::Duration,
    reading::Metric,
};
use chrono::TimeDelta;

/// When a rule fires and when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    comparator: Comparator,
    threshold: ExactDecimal,
    clear_threshold: Option<ExactDecimal>,
    hold_for: Option<Duration>,
    keep_firing_for: Option<Duration>,
}

/// The clear threshold is on the wrong side of the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {side} threshold, since the rule fires {fires} it")]
pub struct ClearThresholdError {
    side: &'static str,
    fires: &'static str,
}

impl Condition {
    /// Fires at once, and is over with the first value that does not breach.
    #[must_use]
    pub fn new(comparator: Comparator, threshold: ExactDecimal) -> Self {
        Self {
            comparator,
            threshold,
            clear_threshold: None,
            hold_for: None,
            keep_firing_for: None,
        }
    }

    /// Is over only when a value is clear of this threshold.
    pub fn clear_at(
        mut self,
        threshold: Option<ExactDecimal>,
    ) -> Result<Self, ClearThresholdError> {
        if let Some(clear) = threshold {
            let (is_wrong, side, fires) = match self.comparator {
                Comparator::Gt | Comparator::Gte => (clear > self.threshold, "at most", "above"),
                Comparator::Lt | Comparator::Lte => (clear < self.threshold, "at least", "below"),
            };
            if is_wrong {
                return Err(ClearThresholdError { side, fires });
            }
        }
        self.clear_threshold = threshold;
        Ok(self)
    }

    /// Fires when it has held so long, and is over when all was clear so long, both in measured time.
    #[must_use]
    pub fn lasting(
        mut self,
        hold_for: Option<Duration>,
        keep_firing_for: Option<Duration>,
    ) -> Self {
        self.hold_for = hold_for;
        self.keep_firing_for = keep_firing_for;
        self
    }

    /// How a value is compared with the thresholds.
    #[must_use]
    pub fn comparator(&self) -> Comparator {
        self.comparator
    }

    /// The value that it fires beyond.
    #[must_use]
    pub fn threshold(&self) -> ExactDecimal {
        self.threshold
    }

    /// The value beyond which nothing is clear, where it is another one.
    #[must_use]
    pub fn clear_threshold(&self) -> Option<ExactDecimal> {
        self.clear_threshold
    }

    /// How long it must hold before the rule fires, where it must.
    #[must_use]
    pub fn held_for(&self) -> Option<Duration> {
        self.hold_for
    }

    /// How long all must be clear before it is over, where it must.
    #[must_use]
    pub fn kept_firing_for(&self) -> Option<Duration> {
        self.keep_firing_for
    }

    /// Whether a value is on the wrong side of the threshold.
    #[must_use]
    pub fn breaches(&self, value: ExactDecimal) -> bool {
        self.comparator.breaches(value, self.threshold)
    }

    /// Whether a value is on the right side of the clear threshold, or of the only one.
    #[must_use]
    pub fn is_clear(&self, value: ExactDecimal) -> bool {
        let threshold = self.clear_threshold.unwrap_or(self.threshold);
        !self.breaches(value) && !self.comparator.breaches(value, threshold)
    }

    /// The worse of two readings, and of two equal ones the first.
    #[must_use]
    pub(crate) fn worse(&self, a: Measured, b: Measured) -> Measured {
        let worse = self.comparator.worse(a.value, b.value);
        if worse == a.value { a } else { b }
    }

    pub(crate) fn hold_for(&self) -> TimeDelta {
        length(self.hold_for)
    }

    pub(crate) fn keep_firing_for(&self) -> TimeDelta {
        length(self.keep_firing_for)
    }

    /// A transition, with the threshold that decided it: on the way to recovery the clear one.
    pub(crate) fn transition(&self, from: Phase, to: Phase, by: Measured) -> Transition {
        let clears = matches!(
            (from, to),
            (
                Phase::Firing | Phase::Recovering,
                Phase::Ok | Phase::Recovering
            ) | (Phase::Recovering, Phase::Firing)
        );
        let clear = self.clear_threshold.filter(|_| clears);
        Transition {
            from,
            to,
            by,
            threshold: clear.unwrap_or(self.threshold),
        }
    }

    /// The condition in words, which is the name of a rule that has no other.
    #[must_use]
    pub fn name(&self, metric: &Metric) -> String {
        let comparator = self.comparator.as_str();
        format!("{} {comparator} {}", metric.as_str(), self.threshold)
    }
}

fn length(duration: Option<Duration>) -> TimeDelta {
    duration.map_or(TimeDelta::zero(), TimeDelta::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rule::tests::number;

    #[test]
    fn the_clear_threshold_lies_where_nothing_breaches() {
        for (comparator, clear, is_right) in [
            (Comparator::Gt, "99", true),
            (Comparator::Gt, "100", true),
            (Comparator::Gte, "100.01", false),
            (Comparator::Lt, "101", true),
            (Comparator::Lte, "100", true),
            (Comparator::Lt, "99.99", false),
        ] {
            let condition = Condition::new(comparator, number("100"));
            let result = condition.clear_at(Some(number(clear)));
            assert_eq!(result.is_ok(), is_right, "{comparator:?} {clear}");
        }
    }

    #[test]
    fn what_breaches_is_never_clear() {
        let condition = Condition::new(Comparator::Gte, number("100"));
        let condition = condition.clear_at(Some(number("100"))).unwrap();
        assert!(condition.breaches(number("100")) && !condition.is_clear(number("100")));
        assert!(condition.is_clear(number("99.99")));
    }
}
