//! Judging readings as they arrive: in whatever order they do, they end in the same episodes.
//!
//! A rule keeps the state of its machine after the newest reading, `head`, and some states before that: the oldest of
//! these is before all readings that may still get company, which are those not older than the newest one by more
//! than the lateness window. Where readings come in order, `head` just goes on. Where one comes between others, all
//! from the last checkpoint before it on are judged again. What comes later than the window is not judged at all.

use super::{EpisodeChange, Measured, Run, State};
use crate::{Timestamp, alert_rule::Condition, reading::earliest};
use chrono::TimeDelta;
use std::collections::HashSet;

/// Checkpoints are at least this part of the window apart.
const FINEST: i32 = 512;

/// A checkpoint goes where its neighbours are so many times as old as each other, or less: so there are many near
/// the newest reading, where most come between others, and few in all.
const COARSER: i32 = 4;

/// How far a rule has come on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The newest time of measurement that it knows of.
    pub newest: Option<Timestamp>,
    /// The state after it.
    pub head: State,
    /// States to judge again from, oldest first, of which there is at least one. What was measured before the
    /// first one is never judged again.
    pub checkpoints: Vec<Checkpoint>,
}

/// A state to judge again from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything that was measured earlier is in the state, and nothing else.
    pub before: Timestamp,
    /// The state.
    pub state: State,
}

/// What judging some readings came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// How far the rule has come now.
    pub progress: Progress,
    /// From when on everything was judged again: what is known of later times is replaced by `episodes`.
    pub again_from: Option<Timestamp>,
    /// Episodes that began, changed or ended, oldest first; at most the last one goes on.
    pub episodes: Vec<EpisodeChange>,
}

/// The range of time from the first instant to the last one, of which all stored readings are needed.
pub type Window = (Timestamp, Timestamp);

impl Progress {
    /// Of a rule that begins: it judges what is measured after this time.
    #[must_use]
    pub fn beginning(after: Option<Timestamp>) -> Self {
        let first = Checkpoint {
            before: after.map_or_else(earliest, just_after),
            state: State::Ok,
        };
        Self {
            newest: after,
            head: State::Ok,
            checkpoints: vec![first],
        }
    }

    /// Whether a reading comes too late to be judged: it is older than the newest one by more than the window.
    #[must_use]
    pub fn is_late(&self, at: Timestamp, lateness: TimeDelta) -> bool {
        self.newest
            .is_some_and(|newest| at < before(newest, lateness))
    }

    /// What has to be known to judge these new readings, beside them.
    #[must_use]
    pub fn needs(&self, fresh: &[Measured], lateness: TimeDelta) -> Option<Window> {
        let newest = self.newest?;
        let floor = self.floor(lateness);
        if self.is_disturbed(fresh, floor) {
            return Some((self.oldest(), newest));
        }
        let judged = fresh.iter().map(|it| it.at).filter(|at| *at >= floor);
        let first = judged.min().filter(|at| *at < newest)?;
        let known = self.checkpoints.iter().rev();
        let from = known.map(|it| it.before).find(|at| *at <= first);
        Some((from.unwrap_or_else(|| self.oldest()), newest))
    }

    /// Judges new readings, in any order, given all stored ones of the window that they need.
    #[must_use]
    pub fn judge(
        mut self,
        condition: &Condition,
        fresh: &[Measured],
        window: &[Measured],
        lateness: TimeDelta,
    ) -> Judged {
        let floor = self.floor(lateness);
        let known = known(fresh, window);
        if self.is_disturbed(fresh, floor) {
            self.settle(condition, &known, floor);
        }
        let mut readings: Vec<Measured> =
            fresh.iter().filter(|it| it.at >= floor).copied().collect();
        readings.sort_unstable_by_key(|it| it.at);
        let (first, last) = (readings.first().copied(), readings.last().copied());

        let mut run = Run::new(condition, self.head);
        let mut again_from = None;
        if let Some(first) = first.filter(|it| self.newest.is_some_and(|newest| it.at < newest)) {
            let start = self.back_to(first.at);
            run = Run::new(condition, start.state);
            again_from = Some(start.before);
            readings.extend(known.iter().filter(|it| it.at >= start.before));
            readings.sort_unstable_by_key(|it| it.at);
        }
        self.newest = last.map(|it| it.at).max(self.newest);
        let settled = self.floor(lateness);
        let apart = lateness / FINEST;
        for reading in readings {
            self.remember(reading.at, run.state(), (settled, apart));
            run.step(reading);
        }
        self.head = run.state();
        self.thin(settled);
        Judged {
            progress: self,
            again_from,
            episodes: run.into_episodes(),
        }
    }

    /// The earliest time that is judged.
    fn floor(&self, lateness: TimeDelta) -> Timestamp {
        let bound = self.newest.map(|newest| before(newest, lateness));
        bound.map_or(self.oldest(), |bound| bound.max(self.oldest()))
    }

    fn oldest(&self) -> Timestamp {
        self.checkpoints
            .first()
            .map_or_else(earliest, |it| it.before)
    }

    /// Whether readings that are not to be judged would be, if all from the oldest checkpoint on were judged again.
    fn is_disturbed(&self, fresh: &[Measured], floor: Timestamp) -> bool {
        let oldest = self.oldest();
        fresh.iter().any(|it| it.at < floor && it.at >= oldest)
    }

    /// Moves the oldest checkpoint up to a time.
    fn settle(&mut self, condition: &Condition, known: &[Measured], to: Timestamp) {
        let Some(oldest) = self.checkpoints.first().copied() else {
            return;
        };
        let due = known
            .iter()
            .filter(|it| it.at >= oldest.before && it.at < to);
        let state = due.fold(oldest.state, |state, it| state.step(condition, *it));
        self.checkpoints.retain(|it| it.before > to);
        self.checkpoints.insert(0, Checkpoint { before: to, state });
    }

    /// Goes back to the last checkpoint before a time, which is the last one then.
    fn back_to(&mut self, at: Timestamp) -> Checkpoint {
        let usable = self.checkpoints.partition_point(|it| it.before <= at);
        self.checkpoints.truncate(usable.max(1));
        let last = self.checkpoints.last().copied();
        last.unwrap_or_else(|| Checkpoint {
            before: earliest(),
            state: State::Ok,
        })
    }

    /// Keeps the state before a reading, if it is far enough from the last one; of those that nothing comes before
    /// any more, only the last.
    fn remember(&mut self, at: Timestamp, state: State, (settled, apart): (Timestamp, TimeDelta)) {
        let last = self.checkpoints.last().map(|it| it.before);
        if at <= settled {
            self.checkpoints.clear();
        } else if last.is_some_and(|last| at - last < apart) {
            return;
        }
        self.checkpoints.push(Checkpoint { before: at, state });
    }

    fn thin(&mut self, settled: Timestamp) {
        let Some(newest) = self.newest else { return };
        let old = self.checkpoints.partition_point(|it| it.before <= settled);
        self.checkpoints.drain(..old.saturating_sub(1));
        let mut kept: Vec<Checkpoint> = Vec::with_capacity(self.checkpoints.len());
        let mut left = self.checkpoints.iter().copied().peekable();
        while let Some(it) = left.next() {
            let goes = kept.last().zip(left.peek()).is_some_and(|(older, newer)| {
                newest - older.before <= (newest - newer.before) * COARSER
            });
            if !goes {
                kept.push(it);
            }
        }
        self.checkpoints = kept;
    }
}

/// What was known before these readings, in order.
fn known(fresh: &[Measured], window: &[Measured]) -> Vec<Measured> {
    let new: HashSet<Timestamp> = fresh.iter().map(|it| it.at).collect();
    let known = window.iter().filter(|it| !new.contains(&it.at));
    let mut known: Vec<Measured> = known.copied().collect();
    known.sort_unstable_by_key(|it| it.at);
    known
}

fn before(at: Timestamp, span: TimeDelta) -> Timestamp {
    at.checked_sub_signed(span).unwrap_or(Timestamp::MIN_UTC)
}

fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add_signed(TimeDelta::microseconds(1))
        .unwrap_or(at)
}

#[cfg(test)]
mod tests;
