//! The rule that the fleet breaches: armed, and its alerts as they fire and resolve.

use super::{
    device::Device,
    profile::{Profile, Sample},
};
use crate::{
    api::{Account, Call, query},
    failure::Failure,
    progress::Progress,
    secret,
};
use domain::{alert_rule::Comparator, decimal::ExactDecimal, device::DeviceId, reading::Metric};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use std::collections::HashMap;

/// Of so many measurements, these breach the rule.
const CYCLE: u64 = 120;
const BREACH: std::ops::Range<u64> = 5..35;

/// How far beyond the threshold a breach is at least, and how far on this side of it everything else.
const BEYOND: i64 = 4;
const CLEAR: i64 = 1;

/// A condition: metric, comparator, threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleOption {
    metric: Metric,
    comparator: Comparator,
    threshold: Decimal,
}

impl RuleOption {
    /// Reads `temperature>30`, `humidity <= 20.5` and the like.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wanted = "must be a metric, one of > >= < <=, and a number, such as temperature>30";
        let operators = [
            (">=", Comparator::Gte),
            ("<=", Comparator::Lte),
            (">", Comparator::Gt),
            ("<", Comparator::Lt),
        ];
        let split = operators.iter().find_map(|(sign, comparator)| {
            let (metric, threshold) = text.split_once(sign)?;
            Some((metric.trim(), *comparator, threshold.trim()))
        });
        let (metric, comparator, threshold) = split.ok_or(wanted)?;
        let threshold = ExactDecimal::parse(threshold).map_err(|_| wanted)?.get();
        if threshold.scale() > 6 || threshold.abs() > Decimal::from(1_000_000_000_000_i64) {
            return Err("the threshold is out of any measure".to_owned());
        }
        Ok(Self {
            metric: Metric::parse(metric).map_err(|_| wanted)?,
            comparator,
            threshold,
        })
    }

    /// The rule of the demo.
    pub(super) fn demo() -> Self {
        Self::parse("temperature>30").unwrap_or_else(|_| unreachable!("it is well formed"))
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let sign = match self.comparator {
            Comparator::Gt => ">",
            Comparator::Gte => ">=",
            Comparator::Lt => "<",
            Comparator::Lte => "<=",
        };
        format!("{} {sign} {}", self.metric.as_str(), self.threshold)
    }

    /// The number of the device that is to breach it: a well-behaved one if there is one.
    pub(super) fn culprit(&self, fleet: &[Profile]) -> Result<u32, Failure> {
        let measures = |profile: &Profile| profile.metrics().contains(&self.metric.as_str());
        let is_steady = |profile: &Profile| {
            measures(profile) && matches!(profile, Profile::Temperature | Profile::PowerMeter)
        };
        let place = fleet.iter().position(is_steady);
        let place = place.or_else(|| fleet.iter().position(measures));
        place.and_then(|it| it.try_into().ok()).ok_or_else(|| {
            let metric = self.metric.as_str();
            Failure::other(format!(
                "no device of this fleet measures {metric}: see --profile"
            ))
        })
    }

    /// A measurement as the rule wants it: the culprit breaches now and then, and otherwise nobody does.
    pub(super) fn shape(&self, sample: &mut Sample, tick: u64, is_culprit: bool) {
        if sample.metric != self.metric.as_str() {
            return;
        }
        let beyond = |by: Decimal| match self.comparator {
            Comparator::Gt | Comparator::Gte => self.threshold + by,
            Comparator::Lt | Comparator::Lte => self.threshold - by,
        };
        if is_culprit && BREACH.contains(&(tick % CYCLE)) {
            let more = Decimal::new(i64::try_from(tick % 7).unwrap_or_default() * 15, 2);
            sample.value = beyond(Decimal::new(BEYOND * 100, 2) + more);
            return;
        }
        let clear = beyond(Decimal::from(-CLEAR));
        let is_beyond = match self.comparator {
            Comparator::Gt | Comparator::Gte => sample.value > clear,
            Comparator::Lt | Comparator::Lte => sample.value < clear,
        };
        if is_beyond {
            sample.value = clear;
        }
    }
}

#[derive(Serialize)]
struct NewRule<'a> {
    name: String,
    metric: &'a Metric,
    comparator: Comparator,
    threshold: ExactDecimal,
    selector: Value,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    id: String,
    device_id: DeviceId,
    status: String,
    triggered_at: String,
    resolved_at: Option<String>,
    value: Option<Box<RawValue>>,
}

/// An armed rule, and what is known of its alerts.
#[derive(Debug)]
pub(super) struct Watch {
    path: String,
    words: String,
    names: HashMap<DeviceId, String>,
    /// Whether each alert that was seen is resolved.
    seen: HashMap<String, bool>,
}

impl Watch {
    /// Arms the rule on the whole fleet.
    pub(super) async fn arm(
        account: &Account,
        rule: &RuleOption,
        tag: &str,
        fleet: &[Device],
    ) -> Result<Self, Failure> {
        let threshold = ExactDecimal::try_from(rule.threshold)
            .map_err(|error| Failure::other(format!("the threshold {error}")))?;
        let body = NewRule {
            name: format!("Simulated: {}", rule.words()),
            metric: &rule.metric,
            comparator: rule.comparator,
            threshold,
            selector: json!({"tags": {"fleet": tag}}),
        };
        // With it a lost answer does not have it armed twice.
        let call = Call::post("/alert-rules", &body)?.with("idempotency-key", secret::random(16)?);
        let Made { id } = account.json(&call).await?;
        let name = |device: &Device| (device.id, device.name.clone());
        Ok(Self {
            path: format!("/alerts?{}", query(&[("rule_id", &id), ("limit", "500")])),
            words: rule.words(),
            names: fleet.iter().map(name).collect(),
            seen: HashMap::new(),
        })
    }

    /// Looks whether an alert has fired or is resolved, and says so.
    pub(super) async fn look(
        &mut self,
        account: &Account,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let page: Page = account.json(&Call::get(&self.path)).await?;
        for alert in page.data.into_iter().rev() {
            let is_new = !self.seen.contains_key(&alert.id);
            let is_over = alert.status == "resolved";
            let was_over = self
                .seen
                .insert(alert.id.clone(), is_over)
                .unwrap_or_default();
            let name = self
                .names
                .get(&alert.device_id)
                .map_or("a device", String::as_str);
            if is_new {
                let value = alert.value.as_ref().map_or("no value", |it| it.get());
                let at = &alert.triggered_at;
                let words = &self.words;
                progress.say(&format!(
                    "ALERT    {name}: {words} (it is {value}), at {at}"
                ));
            }
            if is_over && !was_over {
                let at = alert.resolved_at.as_deref().unwrap_or_default();
                progress.say(&format!("resolved {name}: {}, at {at}", self.words));
            }
        }
        Ok(())
    }

    /// How many alerts have fired, and how many of them are resolved.
    pub(super) fn counts(&self) -> (usize, usize) {
        let resolved = self.seen.values().filter(|it| **it).count();
        (self.seen.len(), resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;

    #[test]
    fn rules_are_read_with_any_comparator() {
        for (text, words) in [
            ("temperature>30", "temperature > 30"),
            ("humidity <= 20.50", "humidity <= 20.50"),
            ("power>=-1", "power >= -1"),
        ] {
            assert_eq!(RuleOption::parse(text).unwrap().words(), words);
        }
        for text in ["", "temperature", ">30", "t>x", "t=3", "t>1e20", "1t>1"] {
            assert!(RuleOption::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_culprit_breaches_and_only_now_and_then() {
        for text in [
            "temperature>30",
            "temperature<=10",
            "temperature>20",
            "temperature>=20",
        ] {
            let rule = RuleOption::parse(text).unwrap();
            let threshold = ExactDecimal::try_from(rule.threshold).unwrap();
            let breaches = |tick, is_culprit| {
                let mut sample = Sample {
                    metric: "temperature",
                    value: "20.00".parse().unwrap(),
                    recorded_at: Timestamp::UNIX_EPOCH,
                };
                rule.shape(&mut sample, tick, is_culprit);
                let value = ExactDecimal::try_from(sample.value).unwrap();
                rule.comparator.breaches(value, threshold)
            };
            for tick in 0..240 {
                assert_eq!(
                    breaches(tick, true),
                    BREACH.contains(&(tick % CYCLE)),
                    "{text} {tick}"
                );
                assert!(!breaches(tick, false), "{text} {tick}");
            }
        }
    }
}
