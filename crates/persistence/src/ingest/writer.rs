//! Gathers what waits, has it committed together, and answers everyone. Knows no SQL.

use super::{IngestError, Submission, Verdict, queue::Job};
use crate::StoreError;
use tokio::sync::mpsc::UnboundedReceiver;

/// Readings after which a group is not gathered further.
const GROUP_READINGS: usize = 10_000;

/// Requests after which a group is not gathered further.
const GROUP_REQUESTS: usize = 2_000;

/// Stores submissions in one transaction, or none of them.
pub(super) trait Commit {
    /// A verdict for each submission, in order, or the error that befell all of them.
    async fn commit(&self, batch: &[&Submission]) -> Result<Vec<Verdict>, StoreError>;
}

/// Runs until the queue is closed and empty.
///
/// There is no delay timer: a lonely reading is committed at once, and while one group commits the
/// next one gathers in the queue.
pub(super) async fn run(mut queue: UnboundedReceiver<Job>, commit: impl Commit) {
    while let Some(first) = queue.recv().await {
        let jobs = gather(first, &mut queue);
        let submissions: Vec<&Submission> = jobs.iter().map(|job| &job.submission).collect();
        let readings: usize = submissions.iter().map(|it| it.readings.len()).sum();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a histogram of at most some thousands"
        )]
        {
            metrics::histogram!("readout_ingest_group_requests").record(jobs.len() as f64);
            metrics::histogram!("readout_ingest_group_readings").record(readings as f64);
        }
        let verdicts = all_or_split(&commit, &submissions).await;
        for (job, verdict) in jobs.into_iter().zip(verdicts) {
            job.answer(verdict);
        }
    }
}

/// Takes whatever waits behind the first job, up to the limits of a group.
fn gather(first: Job, queue: &mut UnboundedReceiver<Job>) -> Vec<Job> {
    let mut readings = first.submission.readings.len();
    let mut jobs = vec![first];
    while readings < GROUP_READINGS && jobs.len() < GROUP_REQUESTS {
        let Ok(job) = queue.try_recv() else { break };
        readings += job.submission.readings.len();
        jobs.push(job);
    }
    jobs
}

/// Commits everything at once; where the data is refused, halves the group until only the culprit
/// is left to hear of it.
async fn all_or_split(commit: &impl Commit, batch: &[&Submission]) -> Vec<Verdict> {
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
    use std::sync::Mutex;

    /// Refuses any batch that holds the metric `poison`, and remembers the size of each.
    struct Picky(Mutex<Vec<usize>>);

    impl Commit for Picky {
        async fn commit(&self, batch: &[&Submission]) -> Result<Vec<Verdict>, StoreError> {
            self.0.lock().unwrap().push(batch.len());
            if batch
                .iter()
                .any(|it| it.readings[0].metric.as_str() == "poison")
            {
                return Err(StoreError::corrupt("test", "poison"));
            }
            Ok(batch.iter().map(|_| Ok(vec![Outcome::Created])).collect())
        }
    }

    fn submission(metric: &str) -> Submission {
        let raw = RawReading {
            metric: Some(metric),
            value: Some("1"),
            recorded_at: None,
        };
        let received_at = "2026-01-01T00:00:00Z".parse().unwrap();
        Submission {
            key: DeviceKey::new([1; 32]).hash(),
            readings: vec![Reading::parse(raw, received_at).unwrap()],
            received_at,
        }
    }

    #[tokio::test]
    async fn only_the_culprit_hears_of_it() {
        let batch: Vec<_> = ["a", "b", "poison", "c", "d"].map(submission).into();
        let batch: Vec<_> = batch.iter().collect();
        let picky = Picky(Mutex::default());
        let verdicts = all_or_split(&picky, &batch).await;
        let stored: Vec<_> = verdicts.iter().map(Result::is_ok).collect();
        assert_eq!(stored, [true, true, false, true, true]);
        assert_eq!(*picky.0.lock().unwrap(), [5, 2, 3, 1, 2]);
    }

    #[tokio::test]
    async fn an_outage_is_not_split() {
        struct Down(Mutex<usize>);
        impl Commit for Down {
            async fn commit(&self, _: &[&Submission]) -> Result<Vec<Verdict>, StoreError> {
                *self.0.lock().unwrap() += 1;
                Err(sqlx::Error::PoolTimedOut.into())
            }
        }
        let batch = [submission("a"), submission("b")];
        let down = Down(Mutex::default());
        let verdicts = all_or_split(&down, &[&batch[0], &batch[1]]).await;
        assert!(
            verdicts
                .iter()
                .all(|it| matches!(it, Err(IngestError::Store(StoreError::Unavailable(_)))))
        );
        assert_eq!(*down.0.lock().unwrap(), 1);
    }
}
