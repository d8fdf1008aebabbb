//! Gathers what waits, has it committed together, and answers everyone. Knows no SQL.

use super::{IngestError, Mode, Submission, Verdict, directory::Resolved, queue::Job};
use crate::StoreError;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, MutexGuard, mpsc::UnboundedReceiver},
    time::timeout,
};

/// Readings after which a group is not gathered further, and most readings of one job.
pub(super) const GROUP_READINGS: usize = 5_000;

/// Requests after which a group is not gathered further.
const GROUP_REQUESTS: usize = 2_000;

/// Readings below which a group is worth waiting for: a commit has a fixed cost, so that one large
/// group costs less than two small ones side by side. From there on encoding is what takes time, and
/// a second writer that gathers meanwhile is worth more.
const SMALL_READINGS: usize = 500;

/// Longest time for which a small group keeps other writers from the queue, since what blocks it may
/// not block everyone.
const SMALL_ALONE: Duration = Duration::from_millis(20);

/// How long a writer without work keeps its connection.
const REST_AFTER: Duration = Duration::from_secs(5);

/// The queue that all writers take from.
pub(super) type Queue = Arc<Mutex<UnboundedReceiver<Job>>>;

/// A submission on its way to be committed.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) submission: Submission,
    /// What its names stand for, if that is known from before.
    pub(super) resolved: Option<Resolved>,
}

/// Most readings of a submission that goes the quick way.
pub(super) const QUICK_READINGS: usize = 32;

/// With whom a submission is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// With those that are stored in a single message.
    Quick,
    /// With those that need nothing to be looked up.
    Known,
    /// With those of which something is to be found out first, so that they delay nobody else.
    Fresh,
    /// In a transaction of its own, since it may be rolled back.
    Alone,
}

/// Stores submissions in one transaction, or none of them.
pub(super) trait Commit {
    /// A verdict for each submission, in order, or the error that befell all of them.
    async fn commit(&mut self, batch: &[&Work]) -> Result<Vec<Verdict>, StoreError>;

    /// Holds no connection until there is work again.
    fn rest(&mut self);
}

/// Runs until the queue is closed and empty. Any number of writers may share a queue.
///
/// There is no delay timer: a lonely reading is committed at once, and while one group commits the
/// next one gathers in the queue. While a small group commits, no other writer begins one.
pub(super) async fn run(queue: Queue, mut commit: impl Commit) {
    loop {
        let next = timeout(REST_AFTER, gather(&queue)).await;
        let (jobs, queue) = if let Ok(next) = next {
            next
        } else {
            commit.rest();
            gather(&queue).await
        };
        if jobs.is_empty() {
            return;
        }
        if count(&jobs) < SMALL_READINGS {
            alone(queue, answer(&mut commit, jobs)).await;
        } else {
            drop(queue);
            answer(&mut commit, jobs).await;
        }
    }
}

/// Works, and keeps others from the queue for the first while.
async fn alone(queue: MutexGuard<'_, UnboundedReceiver<Job>>, work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    if timeout(SMALL_ALONE, &mut work).await.is_err() {
        drop(queue);
        work.await;
    }
}

/// Commits jobs and answers each.
async fn answer(commit: &mut impl Commit, jobs: Vec<Job>) {
    for part in divide(jobs) {
        let batch: Vec<&Work> = part.iter().map(|job| &job.work).collect();
        record(&batch);
        let verdicts = all_or_split(commit, &batch).await;
        for (job, verdict) in part.into_iter().zip(verdicts) {
            job.answer(verdict);
        }
    }
}

fn count(jobs: &[Job]) -> usize {
    let readings = jobs.iter().map(|job| job.work.submission.readings.len());
    readings.sum()
}

/// Waits for a job, and takes whatever waits behind it, up to the limits of a group. There is none
/// when the queue is closed. Until the queue is given back no other writer gathers. Dropping the future
/// loses nothing.
async fn gather(queue: &Queue) -> (Vec<Job>, MutexGuard<'_, UnboundedReceiver<Job>>) {
    let mut queue = queue.lock().await;
    let Some(first) = queue.recv().await else {
        return (Vec::new(), queue);
    };
    let mut readings = first.work.submission.readings.len();
    let mut jobs = vec![first];
    while readings < GROUP_READINGS && jobs.len() < GROUP_REQUESTS {
        let Ok(job) = queue.try_recv() else { break };
        readings += job.work.submission.readings.len();
        jobs.push(job);
    }
    (jobs, queue)
}

/// Sorts jobs into those that are committed together.
fn divide(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let (mut quick, mut known) = (Vec::new(), Vec::new());
    let (mut fresh, mut alone) = (Vec::new(), Vec::new());
    for job in jobs {
        match job.work.route() {
            Route::Quick => quick.push(job),
            Route::Known => known.push(job),
            Route::Fresh => fresh.push(job),
            Route::Alone => alone.push(vec![job]),
        }
    }
    let mut parts = vec![quick, known, fresh];
    parts.append(&mut alone);
    parts.retain(|part| !part.is_empty());
    parts
}

impl Work {
    fn route(&self) -> Route {
        match (self.submission.mode, &self.resolved) {
            (Mode::Atomic | Mode::DryRun, _) => Route::Alone,
            (Mode::Each, None) => Route::Fresh,
            (Mode::Each, Some(_)) if self.is_quick() => Route::Quick,
            (Mode::Each, Some(_)) => Route::Known,
        }
    }

    /// Whether a single message may do for it.
    pub(super) fn is_quick(&self) -> bool {
        let small = (1..=QUICK_READINGS).contains(&self.submission.readings.len());
        let resolved = self.resolved.as_ref();
        let quiet = resolved.is_some_and(|it| !it.device.armed || it.quiet.is_some());
        small && quiet && self.submission.mode == Mode::Each
    }
}

fn record(part: &[&Work]) {
    let readings: usize = part.iter().map(|it| it.submission.readings.len()).sum();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a histogram of at most some thousands"
    )]
    {
        metrics::histogram!("readout_ingest_group_requests").record(part.len() as f64);
        metrics::histogram!("readout_ingest_group_readings").record(readings as f64);
    }
}

/// Commits everything at once; where the data is refused, halves the group until only the culprit
/// is left to hear of it.
async fn all_or_split(commit: &mut impl Commit, batch: &[&Work]) -> Vec<Verdict> {
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut pending = vec![batch];
    while let Some(part) = pending.pop() {
        match commit.commit(part).await {
            Ok(answers) => verdicts.extend(answers),
            Err(error) if part.len() > 1 && blames_data(&error) => {
                let (front, back) = part.split_at(part.len() / 2);
                pending.extend([back, front]);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    requests = part.len(),
                    "group not committed"
                );
                verdicts.extend(part.iter().map(|_| Err(IngestError::Store(error.clone()))));
            }
        }
    }
    verdicts
}

/// Whether a part of the group may succeed where the whole did not.
fn blames_data(error: &StoreError) -> bool {
    match error {
        StoreError::Data(_) | StoreError::Conflict(_) | StoreError::Corrupt { .. } => true,
        StoreError::Contended(_)
        | StoreError::Timeout(_)
        | StoreError::Unavailable(_)
        | StoreError::Unexpected(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        device::DeviceKey,
        reading::{Outcome, RawReading, Reading},
    };
    /// Refuses any batch that holds the metric `poison`, and remembers the size of each.
    struct Picky(Vec<usize>);

    impl Commit for Picky {
        fn rest(&mut self) {}

        async fn commit(&mut self, batch: &[&Work]) -> Result<Vec<Verdict>, StoreError> {
            self.0.push(batch.len());
            if batch
                .iter()
                .any(|it| it.submission.readings[0].metric.as_str() == "poison")
            {
                return Err(StoreError::corrupt("test", "poison"));
            }
            Ok(batch.iter().map(|_| Ok(vec![Outcome::Created])).collect())
        }
    }

    fn work(metric: &str) -> Work {
        let raw = RawReading {
            metric: Some(metric),
            value: Some("1"),
            recorded_at: None,
        };
        let received_at = "2026-01-01T00:00:00Z".parse().unwrap();
        let submission = Submission {
            key: DeviceKey::new([1; 32]).hash(),
            readings: vec![Reading::parse(raw, received_at).unwrap()],
            mode: Mode::Each,
            received_at,
        };
        Work {
            submission,
            resolved: None,
        }
    }

    #[tokio::test]
    async fn only_the_culprit_hears_of_it() {
        let batch: Vec<_> = ["a", "b", "poison", "c", "d"].map(work).into();
        let batch: Vec<_> = batch.iter().collect();
        let mut picky = Picky(Vec::new());
        let verdicts = all_or_split(&mut picky, &batch).await;
        let stored: Vec<_> = verdicts.iter().map(Result::is_ok).collect();
        assert_eq!(stored, [true, true, false, true, true]);
        assert_eq!(picky.0, [5, 2, 3, 1, 2]);
    }

    #[tokio::test]
    async fn an_outage_is_not_split() {
        struct Down(usize);
        impl Commit for Down {
            fn rest(&mut self) {}

            async fn commit(&mut self, _: &[&Work]) -> Result<Vec<Verdict>, StoreError> {
                self.0 += 1;
                Err(sqlx::Error::PoolTimedOut.into())
            }
        }
        let batch = [work("a"), work("b")];
        let mut down = Down(0);
        let verdicts = all_or_split(&mut down, &[&batch[0], &batch[1]]).await;
        assert!(
            verdicts
                .iter()
                .all(|it| matches!(it, Err(IngestError::Store(StoreError::Unavailable(_)))))
        );
        assert_eq!(down.0, 1);
    }
}
