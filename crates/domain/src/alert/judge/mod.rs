//! Judging readings as they arrive: in whatever order they do, they end in the same episodes.
//!
//! A rule remembers between which times its state was which, back to the oldest reading that may still get company:
//! those are not older than the newest one by more than the lateness window. Where readings come in order, the last
//! state goes on. Where one comes between others, all from there on are judged again. What comes later than the
//! window is not judged at all.

use super::{EpisodeChange, Measured, Run, State};
use crate::{Timestamp, alert_rule::Condition, reading::earliest};
use chrono::TimeDelta;
use std::collections::HashSet;

/// Most stretches that are remembered without leaving any out.
const MOST: usize = if cfg!(test) { 4 } else { 16 };

/// Beyond that, a stretch goes where its neighbours are so many times as old as each other, or less: so there are
/// many near the newest reading, where most come between others, and few in all.
const COARSER: i32 = 4;

/// How far a rule has come on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The newest time of measurement that is stored.
    pub newest: Option<Timestamp>,
    /// Stretches of time, oldest first, of which there is at least one. What was measured before the first one is
    /// never judged again.
    pub stretches: Vec<Stretch>,
}

/// A stretch of time in which no reading changed the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Everything that was measured earlier is in the state.
    pub from: Timestamp,
    /// What was measured earlier than this changed nothing more; none where it is the present.
    pub until: Option<Timestamp>,
    /// The state.
    pub state: State,
}

/// What judging some readings came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// How far the rule has come now; where nothing is new but the time, the stretches are as they were.
    pub progress: Progress,
    /// From when on everything was judged again: what is known of later times is replaced by `episodes`.
    pub again_from: Option<Timestamp>,
    /// Episodes that began, changed or ended, oldest first; at most the last one goes on.
    pub episodes: Vec<EpisodeChange>,
}

/// The range of time from the first instant to the last one, of which all stored readings are needed.
pub type Window = (Timestamp, Timestamp);

impl Stretch {
    /// From here on, judging begins again that is to begin at this time at the latest.
    fn restart(&self, at: Timestamp) -> Timestamp {
        self.until.map_or(at, |until| until.min(at))
    }
}

impl Progress {
    /// Of a rule that begins: it judges what is measured after this time.
    #[must_use]
    pub fn beginning(after: Option<Timestamp>) -> Self {
        let first = Stretch {
            from: after.map_or_else(earliest, just_after),
            until: None,
            state: State::Ok,
        };
        Self {
            newest: after,
            stretches: vec![first],
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
            return Some((self.back_to(floor).0, newest));
        }
        let judged = fresh.iter().map(|it| it.at).filter(|at| *at >= floor);
        let first = judged.min().filter(|at| *at < newest)?;
        Some((self.back_to(first).0, newest))
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
        let is_disturbed = self.is_disturbed(fresh, floor);
        if is_disturbed {
            self.settle(condition, &known, floor);
        }
        let mut readings: Vec<Measured> =
            fresh.iter().filter(|it| it.at >= floor).copied().collect();
        readings.sort_unstable_by_key(|it| it.at);
        let (first, last) = (readings.first().copied(), readings.last().copied());

        let mut again_from = None;
        if let Some(first) = first.filter(|it| self.newest.is_some_and(|newest| it.at < newest)) {
            let (from, usable) = self.back_to(first.at);
            self.stretches.truncate(usable);
            self.reopen();
            again_from = Some(from);
            readings.extend(known.iter().filter(|it| it.at >= from));
            readings.sort_unstable_by_key(|it| it.at);
        }
        self.newest = last.map(|it| it.at).max(self.newest);
        let mut run = Run::new(condition, self.head());
        let mut is_changed = is_disturbed || again_from.is_some();
        for reading in readings {
            if run.step(reading) {
                self.change(reading.at, run.state());
                is_changed = true;
            }
        }
        if is_changed {
            self.thin(self.floor(lateness));
        }
        Judged {
            progress: self,
            again_from,
            episodes: run.into_episodes(),
        }
    }

    /// The state after the newest reading.
    fn head(&self) -> State {
        self.stretches.last().map_or(State::Ok, |it| it.state)
    }

    /// The earliest time that is judged.
    fn floor(&self, lateness: TimeDelta) -> Timestamp {
        let bound = self.newest.map(|newest| before(newest, lateness));
        bound.map_or(self.oldest(), |bound| bound.max(self.oldest()))
    }

    fn oldest(&self) -> Timestamp {
        self.stretches.first().map_or_else(earliest, |it| it.from)
    }

    /// From where to judge again what is measured at a time or later, and how many stretches there are until then.
    fn back_to(&self, at: Timestamp) -> (Timestamp, usize) {
        let usable = self.stretches.partition_point(|it| it.from <= at).max(1);
        let last = self.stretches.get(usable - 1);
        (last.map_or(at, |it| it.restart(at)), usable)
    }

    /// Whether readings that are not to be judged would be, where all from the floor on are judged again.
    fn is_disturbed(&self, fresh: &[Measured], floor: Timestamp) -> bool {
        let from = self.back_to(floor).0;
        fresh.iter().any(|it| it.at < floor && it.at >= from)
    }

    /// Finds out the state at a time before which something was left out.
    fn settle(&mut self, condition: &Condition, known: &[Measured], to: Timestamp) {
        let (from, usable) = self.back_to(to);
        let Some(last) = self.stretches.get(usable - 1).copied() else {
            return;
        };
        let due = known.iter().filter(|it| it.at >= from && it.at < to);
        let state = due.fold(last.state, |state, it| state.step(condition, *it));
        let settled = Stretch {
            from: to,
            until: Some(to),
            state,
        };
        self.stretches.splice(..usable, [settled]);
    }

    /// Lets the last stretch go on to the present.
    fn reopen(&mut self) {
        if let Some(last) = self.stretches.last_mut() {
            last.until = None;
        }
    }

    /// Ends the last stretch with a reading that changed the state.
    fn change(&mut self, at: Timestamp, state: State) {
        if let Some(last) = self.stretches.last_mut() {
            last.until = Some(at);
        }
        self.stretches.push(Stretch {
            from: just_after(at),
            until: None,
            state,
        });
    }

    /// Forgets what nothing comes before any more, and leaves out some of what is many.
    fn thin(&mut self, settled: Timestamp) {
        let Some(newest) = self.newest else { return };
        let old = self.stretches.partition_point(|it| it.from <= settled);
        self.stretches.drain(..old.saturating_sub(1));
        if self.stretches.len() <= MOST {
            return;
        }
        let mut kept: Vec<Stretch> = Vec::with_capacity(MOST);
        let mut left = self.stretches.iter().copied().peekable();
        while let Some(it) = left.next() {
            let goes = kept.last().zip(left.peek()).is_some_and(|(older, newer)| {
                newest - older.from <= (newest - newer.from) * COARSER
            });
            if !goes {
                kept.push(it);
            }
        }
        self.stretches = kept;
    }
}

/// Whether a reading that is newer than all others changes nothing, and so does any number of such readings.
#[must_use]
pub fn is_unmoved(stretches: &[Stretch], condition: &Condition, by: Measured) -> bool {
    let Some((first, last)) = stretches.first().zip(stretches.last()) else {
        return false;
    };
    by.at < first.from || last.state.step(condition, by) == last.state
}

/// What was known before these readings, in order.
fn known(fresh: &[Measured], window: &[Measured]) -> Vec<Measured> {
    if window.is_empty() {
        return Vec::new();
    }
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
