//! Answers as they are compared: by place, and digit by digit.

use crate::{question::Question, story::Act};
use domain::rollup::SeriesRollup;
use std::{collections::BTreeMap, fmt::Write};

/// Windows with readings by device, metric and begin: their end, count and aggregates. Nothing where some
/// device is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) Option<BTreeMap<String, Vec<String>>>);

impl Answer {
    /// What was answered.
    pub(crate) fn given(rollups: Option<Vec<SeriesRollup>>) -> Self {
        let mut windows = BTreeMap::new();
        let Some(rollups) = rollups else {
            return Self(None);
        };
        for rollup in rollups {
            let device = rollup.device.map(|id| id.to_string()).unwrap_or_default();
            for bucket in rollup.buckets {
                let from = bucket.start.timestamp_micros();
                let mut values = vec![
                    bucket.end.timestamp_micros().to_string(),
                    bucket.count.to_string(),
                ];
                let text = |value: Option<_>| {
                    value.map_or("none".to_owned(), |it: domain::decimal::WideDecimal| {
                        it.to_string()
                    })
                };
                values.extend(bucket.values.into_iter().map(|it| trimmed(&text(it))));
                let there = windows.insert(
                    format!("{device} {} {from}", rollup.metric.as_str()),
                    values,
                );
                assert_eq!(there, None, "a window is there twice");
            }
        }
        Self(Some(windows))
    }

    /// What the database says by itself.
    pub(crate) fn plain(rows: Vec<(String, String)>) -> Self {
        let values = |text: String| text.split(' ').map(trimmed).collect();
        Self(Some(
            rows.into_iter()
                .map(|(place, text)| (place, values(text)))
                .collect(),
        ))
    }

    /// Holds it against what it should have been before and after everything else of its step.
    pub(crate) fn check(
        &self,
        question: &Question,
        (before, after): (&Self, &Self),
        acts: &[(u64, Act)],
    ) -> Result<(), String> {
        let number = |is: fn(&Act) -> bool| acts.iter().filter(|(_, act)| is(act)).count();
        let posts = number(|act| matches!(act, Act::Post(_)));
        let deletions = number(|act| matches!(act, Act::Delete { .. }));
        let fits = self.is_like(before, question)
            || posts > 0 && self.is_like(after, question)
            // Of several requests some may be stored already.
            || posts > 1 && self.is_between(before, after)
            || deletions > 0 && self.0.is_none();
        if fits {
            return Ok(());
        }
        let expected = if posts > 0 { after } else { before };
        let difference = self.difference(expected, question);
        Err(format!("{question:?} was answered\n{difference}"))
    }

    /// Whether every digit is the same, or 15 of them for a standard deviation.
    fn is_like(&self, other: &Self, question: &Question) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(these), Some(others)) => {
                these.keys().eq(others.keys())
                    && these
                        .values()
                        .zip(others.values())
                        .all(|(one, two)| one.len() == two.len() && is_like(one, two, question))
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Whether in each window there are as many readings as before or more, and as many as after or less.
    fn is_between(&self, before: &Self, after: &Self) -> bool {
        let (Some(these), Some(before), Some(after)) = (&self.0, &before.0, &after.0) else {
            return false;
        };
        let count = |windows: &BTreeMap<String, Vec<String>>, place: &String| -> u64 {
            let values = windows.get(place);
            values.map_or(0, |values| values.get(1).unwrap().parse().unwrap())
        };
        let places = these.keys().chain(before.keys()).chain(after.keys());
        places.into_iter().all(|place| {
            (count(before, place)..=count(after, place)).contains(&count(these, place))
        })
    }

    /// Windows in which two answers differ.
    fn difference(&self, other: &Self, question: &Question) -> String {
        let (Some(these), Some(others)) = (&self.0, &other.0) else {
            return format!("  {:?} is not {:?}\n", self.0, other.0);
        };
        let mut text = String::new();
        for (sign, ones, others) in [("answered", these, others), ("plain   ", others, these)] {
            for (place, values) in ones {
                if others
                    .get(place)
                    .is_none_or(|it| !is_like(values, it, question))
                {
                    writeln!(text, "  {sign} {place}: {}", values.join(" ")).unwrap();
                }
            }
        }
        text
    }
}

fn is_like(one: &[String], two: &[String], question: &Question) -> bool {
    let names = ["end", "count"].into_iter().chain(question.aggregates());
    one.iter()
        .zip(two)
        .zip(names)
        .all(|((one, two), name)| one == two || name == "stddev" && is_close(one, two))
}

fn is_close(one: &str, two: &str) -> bool {
    let (Ok(one), Ok(two)) = (one.parse::<f64>(), two.parse::<f64>()) else {
        return false;
    };
    (one - two).abs() <= one.abs() * 1e-15 * 4.0
}

/// Without zeros that say nothing.
fn trimmed(number: &str) -> String {
    if number.contains('.') {
        number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        number.to_owned()
    }
}
