//! Whatever order readings arrive in, they end in what they come to in the order of measurement.

use super::*;
use crate::alert_rule::tests::{condition, number};
use proptest::prelude::*;
use std::collections::BTreeMap;

const LATENESS: TimeDelta = TimeDelta::seconds(20);

fn at(second: i64) -> Timestamp {
    earliest() + TimeDelta::days(1) + TimeDelta::seconds(second)
}

fn reading((second, value): (i64, i64)) -> Measured {
    Measured {
        at: at(second),
        value: number(&value.to_string()),
    }
}

/// A rule on a device, with what is stored: readings that arrived, and episodes by when they triggered.
#[derive(Default)]
struct Kept {
    progress: Option<Progress>,
    readings: BTreeMap<Timestamp, Measured>,
    episodes: BTreeMap<Timestamp, EpisodeChange>,
    late: usize,
    looked_up: usize,
    /// How often the stretches became others.
    written: usize,
}

impl Kept {
    /// What storing and judging a batch does.
    fn take(&mut self, condition: &Condition, batch: &[Measured]) {
        let fresh: Vec<Measured> = batch
            .iter()
            .filter(|it| !self.readings.contains_key(&it.at))
            .copied()
            .collect();
        self.readings.extend(fresh.iter().map(|it| (it.at, *it)));
        let progress = self
            .progress
            .clone()
            .unwrap_or_else(|| Progress::beginning(None));
        self.late += fresh
            .iter()
            .filter(|it| progress.is_late(it.at, LATENESS))
            .count();
        let window = progress.needs(&fresh, LATENESS);
        let window: Vec<Measured> = window.map_or_else(Vec::new, |(from, to)| {
            self.readings.range(from..=to).map(|(_, it)| *it).collect()
        });
        self.looked_up += window.len();
        let judged = progress.judge(condition, &fresh, &window, LATENESS);
        let before = self.progress.as_ref().map(|it| &it.stretches);
        self.written += usize::from(before != Some(&judged.progress.stretches));
        self.progress = Some(judged.progress);
        if let Some(from) = judged.again_from {
            for known in self.episodes.values_mut() {
                known.transitions.retain(|it| it.by.at < from);
                known.resolved = known.resolved.filter(|it| it.at < from);
            }
            self.episodes.retain(|triggered, _| *triggered < from);
        }
        for change in judged.episodes {
            let known = self.episodes.entry(change.episode.triggered.at);
            let known = known.or_insert_with(|| EpisodeChange {
                transitions: Vec::new(),
                ..change.clone()
            });
            known.episode = change.episode;
            known.resolved = change.resolved;
            known.transitions.extend(change.transitions);
        }
    }

    fn episodes(&self) -> Vec<EpisodeChange> {
        let plain = |it: &EpisodeChange| EpisodeChange {
            is_new: true,
            ..it.clone()
        };
        self.episodes.values().map(plain).collect()
    }
}

/// What readings come to in the order of measurement.
fn sorted_run(condition: &Condition, readings: &[Measured]) -> Vec<EpisodeChange> {
    let mut sorted = readings.to_vec();
    sorted.sort_by_key(|it| it.at);
    let mut run = Run::new(condition, State::Ok);
    for it in sorted {
        run.step(it);
    }
    run.into_episodes()
}

#[test]
fn what_arrives_too_late_is_not_judged() {
    let condition = condition("gt", "0", None, None, None);
    let mut kept = Kept::default();
    kept.take(&condition, &[reading((100, -1))]);
    kept.take(&condition, &[reading((79, 5)), reading((80, -1))]);
    assert!(kept.episodes().is_empty());
    assert_eq!(kept.late, 1);
    // Also when what lies around it is judged again.
    kept.take(&condition, &[reading((81, -1))]);
    assert!(kept.episodes().is_empty());
    kept.take(&condition, &[reading((82, 5))]);
    assert_eq!(kept.episodes().len(), 1);
}

#[test]
fn a_clear_reading_between_others_divides_an_episode() {
    let condition = condition("gt", "0", None, None, None);
    let mut kept = Kept::default();
    kept.take(&condition, &[reading((1, 5)), reading((10, 7))]);
    assert_eq!(kept.episodes().len(), 1);
    kept.take(&condition, &[reading((5, -1))]);
    let ends: Vec<_> = kept
        .episodes()
        .iter()
        .map(|it| it.resolved.map(|it| it.at))
        .collect();
    assert_eq!(ends, [Some(at(5)), None]);
}

#[test]
fn a_rule_that_begins_later_judges_only_what_is_newer() {
    let condition = condition("gt", "0", None, None, None);
    let mut kept = Kept {
        progress: Some(Progress::beginning(Some(at(50)))),
        ..Kept::default()
    };
    kept.take(&condition, &[reading((45, 5)), reading((50, 5))]);
    assert!(kept.episodes().is_empty());
    kept.take(&condition, &[reading((51, 5))]);
    assert_eq!(kept.episodes().len(), 1);
}

#[test]
fn readings_in_order_are_not_looked_up() {
    let condition = condition("gt", "0", None, Some("5s"), Some("3s"));
    let mut kept = Kept::default();
    for second in 0..1_000 {
        kept.take(&condition, &[reading((second, second % 7 - 2))]);
    }
    assert_eq!(kept.looked_up, 0);
    assert!(kept.progress.clone().unwrap().stretches.len() < 12);
    assert!(kept.written < 800, "{}", kept.written);
    let all: Vec<_> = kept.readings.values().copied().collect();
    assert_eq!(kept.episodes(), sorted_run(&condition, &all));
}

#[test]
fn a_reading_that_is_a_little_late_has_little_looked_up() {
    let condition = condition("gt", "0", None, Some("5s"), Some("3s"));
    let mut kept = Kept::default();
    // A reading each tenth of a second, of which every other is three late.
    let at = |n: i64| Measured {
        at: earliest() + TimeDelta::milliseconds(100 * n),
        value: number(&(n % 70 - 20).to_string()),
    };
    for n in 0..5_000_i64 {
        let n = if n % 4 == 1 {
            n + 2
        } else if n % 4 == 3 {
            n - 2
        } else {
            n
        };
        kept.take(&condition, &[at(n)]);
    }
    assert_eq!(kept.late, 0);
    assert!(kept.looked_up < 40 * 1_250, "{}", kept.looked_up);
    let all: Vec<_> = kept.readings.values().copied().collect();
    assert_eq!(kept.episodes(), sorted_run(&condition, &all));
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let lengths = prop::sample::select(vec![None, Some("1s"), Some("4s"), Some("30s")]);
    let clear = prop::sample::select(vec![None, Some(0), Some(2)]);
    let comparators = prop::sample::select(vec!["gt", "gte", "lt", "lte"]);
    (comparators, clear, lengths.clone(), lengths).prop_map(|(comparator, clear, hold, keep)| {
        let clear =
            clear.map(|it: i64| if comparator.starts_with('g') { -it } else { it }.to_string());
        condition(comparator, "0", clear.as_deref(), hold, keep)
    })
}

/// Each reading with how much later than measured it arrives: at most the window.
fn any_arrivals() -> impl Strategy<Value = Vec<((i64, i64), i64)>> {
    let one = (
        1..6_i64,
        -4..5_i64,
        prop::sample::select(vec![0, 0, 0, 7, 19]),
    );
    prop::collection::vec(one, 1..150).prop_map(|steps| {
        let mut second = 0;
        let mut place = |(step, value, delay)| {
            second += step;
            ((second, value), delay)
        };
        steps.into_iter().map(&mut place).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Shuffled inside the window and split into any batches, they end in the same episodes and transitions.
    #[test]
    fn order_does_not_matter(
        condition in any_condition(),
        mut arrivals in any_arrivals(),
        cuts in prop::collection::vec(1..30_usize, 150),
        twice in any::<bool>(),
    ) {
        let all: Vec<Measured> = arrivals.iter().map(|(it, _)| reading(*it)).collect();
        arrivals.sort_by_key(|((second, _), delay)| second + delay);
        let mut kept = Kept::default();
        let mut left: Vec<Measured> = arrivals.iter().map(|(it, _)| reading(*it)).collect();
        for cut in cuts {
            let batch: Vec<Measured> = left.drain(..cut.min(left.len())).collect();
            kept.take(&condition, &batch);
            if twice {
                kept.take(&condition, &batch);
            }
        }
        kept.take(&condition, &left);
        prop_assert_eq!(kept.late, 0);
        prop_assert_eq!(kept.episodes(), sorted_run(&condition, &all));
    }

    /// Those that come too late change nothing, whatever comes between them.
    #[test]
    fn what_comes_too_late_does_not_matter(
        condition in any_condition(),
        arrivals in any_arrivals(),
        late in prop::collection::vec((0..150_usize, 1..200_i64, -4..5_i64), 0..20),
    ) {
        let (mut with, mut without) = (Kept::default(), Kept::default());
        for (place, (it, _)) in arrivals.iter().enumerate() {
            let fresh = [reading(*it)];
            without.take(&condition, &fresh);
            with.take(&condition, &fresh);
            for (_, age, value) in late.iter().filter(|it| it.0 == place) {
                let old = at(it.0) - LATENESS - TimeDelta::milliseconds(age * 100 + 1);
                let value = number(&value.to_string());
                with.take(&condition, &[Measured { at: old, value }]);
            }
        }
        prop_assert_eq!(with.episodes(), without.episodes());
    }
}
