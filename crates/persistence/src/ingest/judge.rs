//! Step 3: the rules of the devices judge what was stored, and alerts follow.

use super::{
    armed::{self, Armed},
    before,
    group::{Group, Row},
    lock::Locked,
    watch::{Followed, Learned, Watch},
};
use crate::{
    StoreError, Tx,
    alert::{self, Verdict},
};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    alert::{Judged, Measured, Progress},
    reading::Outcome,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use uuid::Uuid;

/// New readings of each series, with the place of each in the group.
type Fresh = HashMap<i32, Vec<(usize, Measured)>>;

/// What is known beforehand, for those devices whose rules are remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered {
    pub(super) watches: HashMap<Uuid, Arc<Watch>>,
    /// The newest reading of each of their series whose new readings are newer.
    pub(super) newest: HashMap<i32, Timestamp>,
}

impl Remembered {
    /// Remembers a series, if its first new reading is newer than all that are known of.
    pub(super) fn recall(&mut self, group: &Group, first: &Row) {
        let series = group.series.get(&first.series_id);
        let watch = series.and_then(|it| self.watches.get(&it.device));
        let newest = watch.and_then(|it| it.series.get(&first.series_id)?.newest());
        if let Some(newest) = newest.filter(|it| *it < first.recorded_at) {
            self.newest.insert(first.series_id, newest);
        }
    }

    /// The same without series of which there are newer readings.
    pub(super) fn without(&self, newer: &HashSet<i32>) -> Self {
        let mut rest = self.clone();
        rest.newest.retain(|id, _| !newer.contains(id));
        rest
    }

    /// The rules of a series, if they are as they were.
    fn rules(&self, id: i32, device: Uuid, locked: &Locked) -> Option<&[Armed]> {
        let watch = self.watches.get(&device)?;
        let is_current = locked.armed.get(&device) == Some(&watch.version);
        let is_known = is_current && self.newest.contains_key(&id);
        let series = watch.series.get(&id).filter(|_| is_known);
        series.map(|it| it.rules.as_slice())
    }
}

/// A rule with how far it has come, and the new readings that it is to judge, as all rules of their series do.
struct Case {
    rule: Armed,
    progress: Progress,
    readings: Arc<[Measured]>,
}

/// Has every armed rule of these devices judge the new readings of its metric, stores what that came to, notes in
/// the outcomes which readings came too late to be judged, and answers what may be remembered once all that is
/// committed.
///
/// A duplicate was judged when it was first stored, and a conflict is not stored at all.
pub(super) async fn judge(
    tx: &Tx,
    group: &Group,
    (locked, remembered): (&Locked, &Remembered),
    outcomes: &mut [Outcome],
    (now, lateness): (Timestamp, TimeDelta),
) -> Result<HashMap<Uuid, Learned>, StoreError> {
    let fresh = fresh(group, locked, outcomes);
    let cases = cases(tx, group, (locked, remembered), &fresh, lateness).await?;
    note_late(&cases, &fresh, outcomes, lateness);
    let windows = cases.iter().filter_map(|it| {
        let needs = it.progress.needs(&it.readings, lateness)?;
        Some((it.rule.series, needs))
    });
    let windows = before::windows(tx, windows).await?;
    let mut lessons = Lessons::new(group, locked, &fresh);
    let (mut verdicts, mut standings) = (Vec::new(), Vec::new());
    for case in cases {
        let (rule, readings) = (case.rule, case.readings);
        let window = windows.get(&rule.series).map_or(&[][..], Vec::as_slice);
        let judged = case
            .progress
            .judge(&rule.condition, &readings, window, lateness);
        let standing = rule.standing(judged.progress.stretches.clone(), now);
        let heard_at = standing.as_ref().map_or(rule.heard_at, |_| Some(now));
        standings.extend(standing);
        lessons.add(&rule, &judged, heard_at);
        let heard = rule.silence.zip(readings.first().copied());
        verdicts.push(Verdict {
            rule: rule.rule,
            rule_version: rule.rule_version,
            device: rule.device,
            open: rule.open,
            silence: heard.map(|((id, version), by)| (id, version, by)),
            again_from: judged.again_from,
            episodes: judged.episodes,
        });
    }
    alert::apply(tx, &verdicts, now).await?;
    alert::keep(tx, &standings, now).await?;
    Ok(lessons.learned)
}

/// Notes in the outcomes which readings come too late to be judged, and does nothing else.
pub(super) async fn find_late(
    tx: &Tx,
    group: &Group,
    locked: &Locked,
    outcomes: &mut [Outcome],
    lateness: TimeDelta,
) -> Result<(), StoreError> {
    let fresh = fresh(group, locked, outcomes);
    let known = (locked, &Remembered::default());
    let cases = cases(tx, group, known, &fresh, lateness).await?;
    note_late(&cases, &fresh, outcomes, lateness);
    Ok(())
}

/// The rules that are to judge something: those that are remembered, and those that are asked for.
async fn cases(
    tx: &Tx,
    group: &Group,
    (locked, remembered): (&Locked, &Remembered),
    fresh: &Fresh,
    lateness: TimeDelta,
) -> Result<Vec<Case>, StoreError> {
    let (mut rules, mut unknown) = (Vec::new(), Vec::new());
    for (id, readings) in fresh {
        let Some(series) = group.series.get(id) else {
            continue;
        };
        if let Some(known) = remembered.rules(*id, series.device, locked) {
            rules.extend_from_slice(known);
        } else {
            let first = readings.iter().map(|it| it.1.at).min();
            unknown.extend(first.map(|first| (*id, first - lateness)));
        }
    }
    let (asked, mut newest) = armed::find(tx, group, &unknown).await?;
    rules.extend(asked);
    for (id, at) in &remembered.newest {
        newest.entry(*id).or_insert(*at);
    }
    let values = |it: &Vec<(usize, Measured)>| it.iter().map(|(_, it)| *it).collect();
    let values: HashMap<i32, Arc<[Measured]>> =
        fresh.iter().map(|(id, it)| (*id, values(it))).collect();
    let case = |rule: Armed| Case {
        progress: rule.progress(newest.get(&rule.series).copied()),
        readings: values.get(&rule.series).map(Arc::clone).unwrap_or_default(),
        rule,
    };
    Ok(rules.into_iter().map(case).collect())
}

fn note_late(cases: &[Case], fresh: &Fresh, outcomes: &mut [Outcome], lateness: TimeDelta) {
    for case in cases {
        let readings = fresh.get(&case.rule.series).map_or(&[][..], Vec::as_slice);
        let late = readings
            .iter()
            .filter(|(_, it)| case.progress.is_late(it.at, lateness));
        for (place, _) in late {
            if let Some(outcome) = outcomes.get_mut(*place) {
                *outcome = Outcome::Late;
            }
        }
    }
}

/// What may be remembered of rules once the transaction has committed.
struct Lessons {
    transaction: i64,
    learned: HashMap<Uuid, Learned>,
}

impl Lessons {
    /// Of series for which no rule has judged anything yet.
    fn new(group: &Group, locked: &Locked, fresh: &Fresh) -> Self {
        let mut learned = HashMap::new();
        for (id, readings) in fresh {
            let Some(device) = group.series.get(id).map(|it| it.device) else {
                continue;
            };
            let Some(version) = locked.armed.get(&device) else {
                continue;
            };
            let learned = learned.entry(device).or_insert_with(|| Learned {
                before: *version,
                after: *version,
                series: HashMap::new(),
            });
            let newest = readings.iter().map(|it| it.1.at).max();
            let followed = newest.map(|newest| Followed::new(Vec::new(), newest));
            learned.series.insert(*id, followed);
        }
        Self {
            transaction: locked.transaction,
            learned,
        }
    }

    /// Notes where a rule stands now. Which alert is open is not known before it is stored, so a series for which
    /// one begins or ends is asked for again.
    fn add(&mut self, rule: &Armed, judged: &Judged, heard_at: Option<Timestamp>) {
        let Some(learned) = self.learned.get_mut(&rule.device) else {
            return;
        };
        let alerts =
            !judged.episodes.is_empty() || judged.again_from.is_some() || rule.silence.is_some();
        let stretches = Some(judged.progress.stretches.clone());
        if alerts || rule.stretches != stretches {
            learned.after = self.transaction;
        }
        let Some(series) = learned.series.get_mut(&rule.series) else {
            return;
        };
        let Some(followed) = series.take() else {
            return;
        };
        if !alerts {
            let rule = Armed {
                stretches,
                heard_at,
                ..rule.clone()
            };
            *series = Some(followed.with(rule, judged.progress.newest));
        }
    }
}

fn fresh(group: &Group, locked: &Locked, outcomes: &[Outcome]) -> Fresh {
    let mut fresh = Fresh::new();
    let is_watched = |id| {
        let series = group.series.get(&id);
        series.is_some_and(|it| locked.armed.contains_key(&it.device))
    };
    let rows = group.rows.iter().zip(outcomes).enumerate();
    let created = rows.filter(|(_, (_, outcome))| **outcome == Outcome::Created);
    let rows = created.filter_map(|(place, (row, _))| Some((place, row.as_ref()?)));
    let rows: Vec<(usize, &Row)> = rows.collect();
    // Devices mostly send runs of one metric.
    for run in rows.chunk_by(|(_, one), (_, next)| one.series_id == next.series_id) {
        let Some((_, first)) = run.first().filter(|(_, it)| is_watched(it.series_id)) else {
            continue;
        };
        let readings = run.iter().map(|(place, row)| {
            let (at, value) = (row.recorded_at, row.value);
            (*place, Measured { at, value })
        });
        fresh.entry(first.series_id).or_default().extend(readings);
    }
    fresh
}
