//! The transaction of a group: everything that its readings come to, or nothing. Knows no channel.

use super::{
    Mode, Submission, Verdict,
    directory::Directory,
    group::{Group, Sender},
    judge, lock,
    lock::Locked,
    months::Months,
    resolve,
    store::Load,
    writer::{Commit, Route},
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
    fn route(&self, submission: &Submission) -> Route {
        match submission.mode {
            Mode::Each if self.directory.series(submission).is_some() => Route::Known,
            Mode::Each => Route::Fresh,
            Mode::Atomic | Mode::DryRun => Route::Alone,
        }
    }

    async fn commit(&mut self, batch: &[&Submission]) -> Result<Vec<Verdict>, StoreError> {
        self.months.ensure(&mut self.lane, batch).await?;
        let now = batch
            .iter()
            .map(|it| it.received_at)
            .max()
            .unwrap_or_default();
        if let Some(group) = self.known(batch) {
            if let Some(verdicts) = self.commit_known(batch, &group, now).await? {
                return Ok(verdicts);
            }
            // Some device is not what it was thought to be.
            for submission in batch {
                self.directory.forget(&submission.key);
            }
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

    /// The group, if every device and series of it is known.
    fn known(&self, batch: &[&Submission]) -> Option<Group> {
        let mut group = Group::with_room_for(batch);
        for submission in batch {
            if submission.mode != Mode::Each {
                return None;
            }
            let (device, series) = self.directory.series(submission)?;
            group.admit(device, submission, series.into_iter().map(Some));
        }
        Some(group)
    }

    /// Locks and stores in one message. Nothing is stored, and there is no answer, where a device has
    /// been disabled or deleted meanwhile.
    async fn commit_known(
        &mut self,
        batch: &[&Submission],
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
            Ok(End::Commit(Some(group.verdicts(batch, outcomes))))
        };
        self.lane.transaction("ingest.commit", work).await
    }

    /// Finds out who and what everything is, and stores it.
    async fn commit_fresh(
        &mut self,
        batch: &[&Submission],
        now: Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        let work = async |tx: &Tx| {
            let (group, locked) = resolve::resolve(tx, batch, now).await?;
            let load = Load::new(&group.rows);
            let [first] = tx.message([load.first_statement()]).await?;
            let outcomes = load.finish(tx, first).await?;
            follow_up(tx, &group, &locked, &outcomes, now).await?;
            let keep = batch.iter().all(|it| it.mode.keeps(&outcomes));
            let verdicts = group.verdicts(batch, outcomes);
            Ok(if keep {
                End::Commit((group, verdicts, keep))
            } else {
                End::Rollback((group, verdicts, keep))
            })
        };
        let (group, verdicts, kept) = self.lane.transaction("ingest.commit", work).await?;
        self.learn(batch, &group, kept);
        Ok(verdicts)
    }

    /// Remembers what a transaction found out.
    fn learn(&self, batch: &[&Submission], group: &Group, committed: bool) {
        for (submission, sender) in batch.iter().zip(&group.senders) {
            match sender {
                Sender::Device(known) | Sender::Disabled(known) => {
                    self.directory.learn(submission.key, *known);
                }
                Sender::Unknown => self.directory.forget(&submission.key),
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
