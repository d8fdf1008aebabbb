//! The transaction of a group: everything that its readings come to, or nothing. Knows no channel.

use super::{
    IngestError, Submission, Verdict, insert, judge, resolve, resolve::Resolved, writer::Commit,
};
use crate::{Db, StoreError, partition};
use domain::reading::Outcome;
use partition::Month;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// After a partition could not be made, its month is left to the default partition for so long.
const PARTITION_RETRY: Duration = Duration::from_mins(1);

/// Most partitions that are made for one group, so that a backfill of years does not stop everyone
/// else; the rest of it goes to the default partition, and a background worker makes room for it.
const PARTITIONS_PER_GROUP: usize = 12;

/// Commits groups on the writer's lane.
#[derive(Debug)]
pub(super) struct Committer {
    db: Db,
    /// Months that need no attention until the given time; for ever where there is none.
    months: Mutex<HashMap<Month, Option<Instant>>>,
}

impl Commit for Committer {
    async fn commit(&self, batch: &[&Submission]) -> Result<Vec<Verdict>, StoreError> {
        self.ensure_partitions(batch).await?;
        let now = batch
            .iter()
            .map(|it| it.received_at)
            .max()
            .unwrap_or_default();
        self.db
            .ingest_transaction("ingest.commit", async |tx| {
                let resolved = resolve::resolve(tx, batch, now).await?;
                let stored = insert::insert(tx, &resolved.rows).await?;
                judge::judge(tx, &resolved, &stored, now).await?;
                resolve::touch(tx, &resolved, batch).await?;
                Ok(verdicts(batch, &resolved, &stored))
            })
            .await
    }
}

impl Committer {
    pub(super) fn new(db: Db) -> Self {
        Self {
            db,
            months: Mutex::default(),
        }
    }

    /// Makes the partitions that the group needs, as far as that is possible at once.
    ///
    /// Only for those who may post: a stranger makes no tables here.
    async fn ensure_partitions(&self, batch: &[&Submission]) -> Result<(), StoreError> {
        if self.new_months(batch).is_empty() {
            return Ok(());
        }
        let admitted = self
            .db
            .ingest_transaction("ingest.admitted", async |tx| {
                resolve::admitted(tx, batch).await
            })
            .await?;
        for month in self
            .new_months(&admitted)
            .into_iter()
            .take(PARTITIONS_PER_GROUP)
        {
            let until = match partition::ensure_for_ingest(&self.db, month).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "partition not made, using the default one"
                    );
                    Some(Instant::now() + PARTITION_RETRY)
                }
            };
            self.months().insert(month, until);
        }
        Ok(())
    }

    /// The months of these readings that are not known to be taken care of.
    fn new_months(&self, batch: &[&Submission]) -> BTreeSet<Month> {
        let known = self.months();
        let is_new = |month: &Month| match known.get(month) {
            None => true,
            Some(until) => until.is_some_and(|until| until <= Instant::now()),
        };
        batch
            .iter()
            .flat_map(|submission| &submission.readings)
            .map(|reading| Month::of(reading.recorded_at))
            .filter(is_new)
            .collect()
    }

    fn months(&self) -> std::sync::MutexGuard<'_, HashMap<Month, Option<Instant>>> {
        self.months.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What each caller is told, from what became of each row.
fn verdicts(batch: &[&Submission], resolved: &Resolved, stored: &[Outcome]) -> Vec<Verdict> {
    let mut outcomes = stored.iter().cloned();
    batch
        .iter()
        .map(|submission| match resolved.devices.get(&submission.key) {
            None => Err(IngestError::UnknownKey),
            Some(device) if !device.enabled => Err(IngestError::Disabled),
            // Rows stand in the order of the submissions that were let in.
            Some(_) => Ok(outcomes.by_ref().take(submission.readings.len()).collect()),
        })
        .collect()
}
