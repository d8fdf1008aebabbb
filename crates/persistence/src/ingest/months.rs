//! Partitions for the months that a group needs.

use super::{Mode, resolve, writer::Work};
use crate::{
    StoreError,
    db::{End, WriterLane},
    partition::{self, Month},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// After a partition could not be made, its month is left to the default partition for so long.
const RETRY: Duration = Duration::from_mins(1);

/// Most partitions that are made for one group, so that a backfill of years does not stop everyone
/// else; the rest of it goes to the default partition, and a background worker makes room for it.
const MOST_PER_GROUP: usize = 12;

/// Months that need no attention until the given time; for ever where there is none.
#[derive(Debug, Default)]
pub(super) struct Months(Mutex<HashMap<Month, Option<Instant>>>);

impl Months {
    /// Makes the partitions that the group needs, as far as that is possible at once.
    ///
    /// Only for those who may post and mean it: a stranger or a dry run makes no tables here.
    pub(super) async fn ensure(
        &self,
        lane: &mut WriterLane,
        batch: &[&Work],
    ) -> Result<(), StoreError> {
        if self.unseen(batch).is_empty() {
            return Ok(());
        }
        let admitted = lane
            .transaction("ingest.admitted", async |tx| {
                resolve::admitted(tx, batch).await.map(End::Commit)
            })
            .await?;
        let mut until = None;
        for month in self.unseen(&admitted).into_iter().take(MOST_PER_GROUP) {
            // What keeps one from being made keeps the others too, and everyone waits for it.
            if until.is_some() {
                self.lock().insert(month, until);
                continue;
            }
            until = match partition::ensure_for_ingest(lane, month).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "partition not made, using the default one"
                    );
                    Some(Instant::now() + RETRY)
                }
            };
            self.lock().insert(month, until);
        }
        Ok(())
    }

    /// The months of these readings that are not known to be taken care of.
    fn unseen(&self, batch: &[&Work]) -> BTreeSet<Month> {
        let known = self.lock();
        let is_new = |month: &Month| match known.get(month) {
            None => true,
            Some(until) => until.is_some_and(|until| until <= Instant::now()),
        };
        let mut unseen = BTreeSet::new();
        let mut last = None;
        let meant = batch
            .iter()
            .map(|work| &work.submission)
            .filter(|it| it.mode != Mode::DryRun);
        for reading in meant.flat_map(|it| &it.readings) {
            let month = Month::of(reading.recorded_at);
            // Readings mostly come in runs of one month.
            if last.replace(month) != Some(month) && is_new(&month) {
                unseen.insert(month);
            }
        }
        unseen
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Month, Option<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
