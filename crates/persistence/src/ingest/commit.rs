//! The transaction of a group: everything that its readings come to, or nothing. Knows no channel.

use super::{
    Mode, Verdict,
    directory::{Directory, Known},
    group::{Group, Sender},
    judge, lock,
    lock::Locked,
    months::Months,
    quick,
    resolve::{self, Missing},
    store::Load,
    writer::{Commit, Work},
};
use crate::{
    StoreError, Tx,
    db::{End, WriterLane},
};
use domain::{Timestamp, reading::Outcome};
use std::sync::Arc;

/// Commits groups on a lane of its own.
#[derive(Debug)]
pub(super) struct Committer {
    lane: WriterLane,
    months: Arc<Months>,
    directory: Directory,
}

impl Commit for Committer {
    async fn commit(&mut self, batch: &[&Work]) -> Result<Vec<Verdict>, StoreError> {
        self.months.ensure(&mut self.lane, batch).await?;
        let now = batch
            .iter()
            .map(|it| it.submission.received_at)
            .max()
            .unwrap_or_default();
        if let Some(group) = known(batch) {
            let quick = batch.iter().all(|work| work.is_quick());
            let verdicts = if quick {
                self.commit_quick(batch, &group, now).await?
            } else {
                self.commit_known(batch, &group, now).await?
            };
            if let Some(verdicts) = verdicts {
                return Ok(verdicts);
            }
            // Some device is not what it was thought to be.
        }
        self.commit_fresh(batch, now).await
    }

    fn rest(&mut self) {
        self.lane.rest();
    }
}

impl Committer {
    pub(super) fn new(lane: WriterLane, months: Arc<Months>, directory: Directory) -> Self {
        Self {
            lane,
            months,
            directory,
        }
    }

    /// Does all in one message. Nothing is stored, and there is no answer, where a device has been
    /// disabled, deleted or given a rule meanwhile.
    async fn commit_quick(
        &mut self,
        batch: &[&Work],
        group: &Group,
        now: Timestamp,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        let load = Load::new(&group.rows);
        let statement = quick::statement(&group.devices(), load.distinct(), now);
        let done = self.lane.statement("ingest.commit", &statement).await?;
        let before = quick::read(&done)?;
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
        let work = async |tx: &Tx| {
            let [locked, first] = tx.message([lock.clone(), first.clone()]).await?;
            let locked = lock::read(&locked)?;
            if locked.enabled != devices {
                return Ok(End::Rollback(None));
            }
            let outcomes = load.finish(tx, first).await?;
            follow_up(tx, group, &locked, &outcomes, now).await?;
            let verdicts = group.verdicts(batch, outcomes);
            Ok(End::Commit(Some((verdicts, locked))))
        };
        let committed = self.lane.transaction("ingest.commit", work).await?;
        Ok(committed.map(|(verdicts, locked)| {
            self.learn_armed(batch, group, &locked);
            verdicts
        }))
    }

    /// Remembers whose rules were armed or disarmed since the device was last looked at.
    fn learn_armed(&self, batch: &[&Work], group: &Group, locked: &Locked) {
        for (work, sender) in batch.iter().zip(&group.senders) {
            if let Sender::Device(known) = sender {
                let armed = locked.armed.binary_search(&known.device).is_ok();
                if armed != known.armed {
                    let key = work.submission.key;
                    self.directory.learn(key, Known { armed, ..*known });
                }
            }
        }
    }

    /// Finds out who and what everything is, and stores it.
    ///
    /// What may be rolled back is tried first without making series, and again with them only where
    /// nothing else stands against it.
    async fn commit_fresh(
        &mut self,
        batch: &[&Work],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        if batch.iter().all(|it| it.submission.mode == Mode::Each) {
            let made = self.find_and_store(batch, Missing::Made, now).await?;
            return Ok(made.0);
        }
        let (verdicts, end) = self.find_and_store(batch, Missing::StandIn, now).await?;
        if end == Stored::NotYet {
            let made = self.find_and_store(batch, Missing::Made, now).await?;
            return Ok(made.0);
        }
        Ok(verdicts)
    }

    async fn find_and_store(
        &mut self,
        batch: &[&Work],
        missing: Missing,
        now: Timestamp,
    ) -> Result<(Vec<Verdict>, Stored), StoreError> {
        let work = async |tx: &Tx| {
            let (group, locked) = resolve::resolve(tx, batch, missing, now).await?;
            let load = Load::new(&group.rows);
            let [first] = tx.message([load.first_statement()]).await?;
            let outcomes = load.finish(tx, first).await?;
            follow_up(tx, &group, &locked, &outcomes, now).await?;
            let keep = batch.iter().all(|it| it.submission.mode.keeps(&outcomes));
            let verdicts = group.verdicts(batch, outcomes);
            Ok(match (keep, group.has_stand_ins()) {
                (false, _) => End::Rollback((group, verdicts, Stored::Not)),
                (true, true) => End::Rollback((group, verdicts, Stored::NotYet)),
                (true, false) => End::Commit((group, verdicts, Stored::All)),
            })
        };
        let (group, verdicts, stored) = self.lane.transaction("ingest.commit", work).await?;
        self.learn(batch, &group, stored);
        Ok((verdicts, stored))
    }

    /// Remembers what a transaction found out.
    fn learn(&self, batch: &[&Work], group: &Group, stored: Stored) {
        for (work, sender) in batch.iter().zip(&group.senders) {
            let key = work.submission.key;
            match sender {
                Sender::Device(known) | Sender::Disabled(known) => {
                    self.directory.learn(key, *known);
                }
                Sender::Unknown => self.directory.forget(&key),
            }
        }
        if stored == Stored::All {
            for (id, series) in &group.series {
                self.directory
                    .learn_series(series.device, &series.metric, *id);
            }
        }
    }
}

/// What became of readings whose devices and series were looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// They are committed, but for those that were refused each on its own.
    All,
    /// They could be, once there are series for them.
    NotYet,
    /// They are not to be.
    Not,
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

/// What follows from stored readings: alerts, and that their devices were seen.
async fn follow_up(
    tx: &Tx,
    group: &Group,
    locked: &Locked,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Result<(), StoreError> {
    if !locked.armed.is_empty() {
        judge::judge(tx, group, &locked.armed, outcomes, now).await?;
    }
    if !locked.due.is_empty() && !outcomes.is_empty() {
        tx.at_commit(lock::touch(&locked.due, now)).await;
    }
    Ok(())
}
