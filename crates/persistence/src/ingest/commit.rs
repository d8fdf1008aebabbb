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
use std::{collections::HashSet, sync::Arc};
use uuid::Uuid;

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
        let (done, again) = self.lane.statement("ingest.commit", &statement).await?;
        let before = quick::read(&done)?;
        if again && before.as_ref().is_none_or(|before| !before.is_empty()) {
            // What is there may be these very readings, which nobody has been told of as created.
            return Err(StoreError::lost());
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
        let work = async |tx: &Tx| {
            let message = [lock.clone(), stale::marking_hour(), first.clone()];
            let [locked, marking_hour, first] = tx.message(message).await?;
            let (locked, marking_hour) = (lock::read(&locked)?, stale::read(&marking_hour)?);
            if locked.enabled != devices {
                return Ok(End::Rollback(None));
            }
            let mut outcomes = load.finish(tx, first).await?;
            let at = (now, self.lateness);
            follow_up(tx, group, &locked, &mut outcomes, at).await?;
            load.mark(tx, marking_hour, &outcomes).await;
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
            follow_up(tx, &group, &locked, &mut outcomes, at).await?;
            load.mark(tx, marking_hour, &outcomes).await;
            let keep = batch.iter().all(|it| it.submission.mode.keeps(&outcomes));
            let verdicts = group.verdicts(batch, outcomes);
            let end = if keep { End::Commit } else { End::Rollback };
            Ok(end((group, verdicts, keep)))
        };
        let (group, verdicts, kept) = self.lane.transaction("ingest.commit", work).await?;
        self.learn(batch, &group, kept);
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
            if !locked.armed.is_empty() {
                let (armed, lateness) = (&locked.armed, self.lateness);
                judge::find_late(tx, &group, armed, &mut outcomes, lateness).await?;
            }
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

/// What follows from stored readings: alerts, and that their devices were seen.
async fn follow_up(
    tx: &Tx,
    group: &Group,
    locked: &Locked,
    outcomes: &mut [Outcome],
    (now, lateness): (Timestamp, TimeDelta),
) -> Result<(), StoreError> {
    if !locked.armed.is_empty() {
        judge::judge(tx, group, &locked.armed, outcomes, (now, lateness)).await?;
    }
    // A request without a valid reading is no sign of life.
    let heard: HashSet<Uuid> = group.series.values().map(|series| series.device).collect();
    let heard_of = |devices: &[Uuid]| -> Vec<Uuid> {
        let heard = devices.iter().filter(|device| heard.contains(device));
        heard.copied().collect()
    };
    let (due, woken) = (heard_of(&locked.due), heard_of(&locked.woken));
    if !woken.is_empty() {
        tx.at_commit(lock::wake(&woken, now)).await;
    }
    if !due.is_empty() {
        tx.at_commit(lock::touch(&due, now)).await;
    }
    Ok(())
}
