//! The transaction of a group: everything that its readings come to, or nothing. Knows no channel.

use super::{
    Mode, Verdict, before,
    directory::{Directory, Known},
    follow_up::follow_up,
    group::{Group, Row, Sender},
    judge::{self, Remembered},
    lock::{self, Locked},
    months::Months,
    quick,
    resolve::{self, Missing},
    stale,
    store::Load,
    writer::{Commit, Work},
};
use crate::{
    StoreError, Tx,
    db::{End, WriterLane},
};
use chrono::TimeDelta;
use domain::{Timestamp, reading::Outcome};
use std::sync::Arc;

/// Commits groups on a lane of its own.
#[derive(Debug)]
pub(super) struct Committer {
    lane: WriterLane,
    months: Arc<Months>,
    directory: Directory,
    lateness: TimeDelta,
}

impl Commit for Committer {
    async fn commit(&mut self, batch: &[&Work]) -> Result<Vec<Verdict>, StoreError> {
        self.months.ensure(&mut self.lane, batch).await?;
        let now = batch
            .iter()
            .map(|it| it.submission.received_at)
            .max()
            .unwrap_or_default();
        let committed = self.commit_somehow(batch, now).await;
        if committed.as_ref().is_err_and(StoreError::is_disconnect) {
            self.directory.watches.forget();
        }
        committed
    }

    fn rest(&mut self) {
        self.lane.rest();
    }
}

impl Committer {
    pub(super) fn new(
        lane: WriterLane,
        months: Arc<Months>,
        directory: Directory,
        lateness: TimeDelta,
    ) -> Self {
        Self {
            lane,
            months,
            directory,
            lateness,
        }
    }

    /// Tries the shortest way first, and another where some device is not what it was thought to be.
    async fn commit_somehow(
        &mut self,
        batch: &[&Work],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        if let Some(group) = known(batch) {
            if batch.iter().all(|work| work.is_quick())
                && let Some(verdicts) = self.commit_quick(batch, &group, now).await?
            {
                return Ok(verdicts);
            }
            if let Some(verdicts) = self.commit_known(batch, &group, now).await? {
                return Ok(verdicts);
            }
        }
        self.commit_fresh(batch, now).await
    }

    /// Does all in one message. Nothing is stored, and there is no answer, where a device has been disabled or
    /// deleted meanwhile, or its rules may have something to say after all.
    async fn commit_quick(
        &mut self,
        batch: &[&Work],
        group: &Group,
        now: Timestamp,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        let load = Load::new(&group.rows);
        let watched = quick::watched(batch);
        let statement = quick::statement(group, &watched, load.distinct(), now);
        let (done, again) = self.lane.statement("ingest.commit", &statement).await?;
        let before = quick::read(&done)?;
        if again && before.as_ref().is_none_or(|before| !before.is_empty()) {
            // What is there may be these very readings, which nobody has been told of as created.
            return Err(StoreError::lost());
        }
        if before.is_some() {
            let is_watched = |row: &&Row| quick::is_watched(group, &watched, row);
            for row in load.distinct().iter().copied().filter(is_watched) {
                self.directory.watches.advance(group, row);
            }
        }
        Ok(before.map(|before| group.verdicts(batch, load.outcomes(before))))
    }

    /// Locks and stores in one message. Nothing is stored, and there is no answer, where a device has
    /// been disabled or deleted meanwhile.
    async fn commit_known(
        &mut self,
        batch: &[&Work],
        group: &Group,
        now: Timestamp,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        let devices = group.devices();
        let load = Load::new(&group.rows);
        let (lock, first) = (lock::statement(&devices, now), load.first_statement());
        let remembered = self.recall(group, &load);
        let newer = before::newer_statement(&remembered.newest);
        let work = async |tx: &Tx| {
            let hour = stale::marking_hour();
            let message = [lock.clone(), hour, newer.clone(), first.clone()];
            let [locked, marking_hour, newer, first] = tx.message(message).await?;
            let (locked, marking_hour) = (lock::read(&locked)?, stale::read(&marking_hour)?);
            if locked.enabled != devices {
                return Ok(End::Rollback(None));
            }
            let remembered = remembered.without(&before::read_newer(&newer)?);
            let mut outcomes = load.finish(tx, first).await?;
            let at = (now, self.lateness);
            let known = (&locked, &remembered);
            let learned = follow_up(tx, group, known, &mut outcomes, at).await?;
            load.mark(tx, marking_hour, &outcomes).await;
            let verdicts = group.verdicts(batch, outcomes);
            Ok(End::Commit(Some((verdicts, locked, learned))))
        };
        let committed = self.lane.transaction("ingest.commit", work).await?;
        Ok(committed.map(|(verdicts, locked, learned)| {
            self.learn_armed(batch, group, &locked);
            self.directory.watches.learn(learned);
            verdicts
        }))
    }

    /// What is remembered of the rules of the devices that have new readings in order.
    fn recall(&self, group: &Group, load: &Load<'_>) -> Remembered {
        let mut remembered = Remembered::default();
        let armed = group.senders.iter().filter_map(|sender| match sender {
            Sender::Device(known) if known.armed => Some(known.device),
            Sender::Device(_) | Sender::Disabled(_) | Sender::Unknown => None,
        });
        for device in armed {
            let watch = self.directory.watches.find(device);
            remembered.watches.extend(watch.map(|it| (device, it)));
        }
        if remembered.watches.is_empty() {
            return remembered;
        }
        for readings in load.series() {
            if let Some(first) = readings.first() {
                remembered.recall(group, first);
            }
        }
        remembered
    }

    /// Remembers whose rules were armed or disarmed since the device was last looked at.
    fn learn_armed(&self, batch: &[&Work], group: &Group, locked: &Locked) {
        for (work, sender) in batch.iter().zip(&group.senders) {
            if let Sender::Device(known) = sender {
                let armed = locked.armed.contains_key(&known.device);
                if armed != known.armed {
                    let key = work.submission.key;
                    self.directory.learn(key, Known { armed, ..*known });
                }
            }
        }
    }

    /// Does what the mode of a submission asks for, or stores a batch of those that have no other.
    async fn commit_fresh(
        &mut self,
        batch: &[&Work],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mode = batch.first().map(|it| it.submission.mode);
        match mode.unwrap_or_default() {
            Mode::Each => self.store_fresh(batch, now).await,
            Mode::DryRun => self.try_out(batch, now).await,
            Mode::Atomic => {
                // First without a trace, since what is rolled back has used up identifiers all the same.
                let verdicts = self.try_out(batch, now).await?;
                if verdicts.iter().any(is_refused) {
                    return Ok(verdicts);
                }
                self.store_fresh(batch, now).await
            }
        }
    }

    /// Finds out who and what everything is, and stores it; nothing of an atomic submission if a reading
    /// of it is refused after all.
    async fn store_fresh(
        &mut self,
        batch: &[&Work],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        let work = async |tx: &Tx| {
            let (group, locked) = resolve::resolve(tx, batch, Missing::Make, now).await?;
            let load = Load::new(&group.rows);
            let message = [stale::marking_hour(), load.first_statement()];
            let [marking_hour, first] = tx.message(message).await?;
            let marking_hour = stale::read(&marking_hour)?;
            let mut outcomes = load.finish(tx, first).await?;
            let at = (now, self.lateness);
            let known = (&locked, &Remembered::default());
            let learned = follow_up(tx, &group, known, &mut outcomes, at).await?;
            load.mark(tx, marking_hour, &outcomes).await;
            let keep = batch.iter().all(|it| it.submission.mode.keeps(&outcomes));
            let verdicts = group.verdicts(batch, outcomes);
            Ok(if keep {
                End::Commit((group, verdicts, Some(learned)))
            } else {
                End::Rollback((group, verdicts, None))
            })
        };
        let (group, verdicts, learned) = self.lane.transaction("ingest.commit", work).await?;
        self.learn(batch, &group, learned.is_some());
        self.directory.watches.learn(learned.unwrap_or_default());
        Ok(verdicts)
    }

    /// Finds out what would become of everything, and writes nothing.
    async fn try_out(
        &mut self,
        batch: &[&Work],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        let work = async |tx: &Tx| {
            let (group, locked) = resolve::resolve(tx, batch, Missing::Imagine, now).await?;
            let load = Load::new(&group.rows);
            let mut outcomes = load.try_out(tx).await?;
            judge::find_late(tx, &group, &locked, &mut outcomes, self.lateness).await?;
            let verdicts = group.verdicts(batch, outcomes);
            Ok(End::Rollback((group, verdicts)))
        };
        let (group, verdicts) = self.lane.transaction("ingest.dry_run", work).await?;
        self.learn(batch, &group, false);
        Ok(verdicts)
    }

    /// Remembers what a transaction found out.
    fn learn(&self, batch: &[&Work], group: &Group, committed: bool) {
        for (work, sender) in batch.iter().zip(&group.senders) {
            let key = work.submission.key;
            match sender {
                Sender::Device(known) | Sender::Disabled(known) => {
                    self.directory.learn(key, *known);
                }
                Sender::Unknown => self.directory.forget(&key),
            }
        }
        if committed {
            for (id, series) in &group.series {
                self.directory
                    .learn_series(series.device, &series.metric, *id);
            }
        }
    }
}

/// The group, if every device and series of it is known.
fn known(batch: &[&Work]) -> Option<Group> {
    let mut group = Group::with_room_for(batch);
    for work in batch {
        let resolved = work.resolved.as_ref()?;
        if work.submission.mode != Mode::Each {
            return None;
        }
        let series = resolved.series.iter().copied().map(Some);
        group.admit(resolved.device, &work.submission, series);
    }
    Some(group)
}

/// Whether anything of a submission was refused.
fn is_refused(verdict: &Verdict) -> bool {
    verdict.as_ref().map_or(true, |outcomes| {
        outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Rejected(_)))
    })
}
