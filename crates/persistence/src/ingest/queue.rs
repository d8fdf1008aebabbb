//! The bounded queue between requests and the writer.

use super::{IngestError, Submission, Verdict, commit::Committer, writer};
use crate::Db;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// How much may wait for the writer.
#[derive(Debug, Clone, Copy)]
pub struct IngestSettings {
    /// Most readings that wait or are being written, over all requests.
    pub max_readings: u32,
    /// Most bytes of memory that they take, over all requests.
    pub max_bytes: u32,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            max_readings: 100_000,
            max_bytes: 32 * 1024 * 1024,
        }
    }
}

/// A submission on its way, with the one who waits for the answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) submission: Submission,
    reply: oneshot::Sender<Verdict>,
    room: [OwnedSemaphorePermit; 2],
}

impl Job {
    /// Answers the caller; one who has gone is no error.
    ///
    /// The room is free before the caller knows, who may use it at once.
    pub(super) fn answer(self, verdict: Verdict) {
        let Self {
            submission,
            reply,
            room,
        } = self;
        drop((submission, room));
        let _ = reply.send(verdict);
    }
}

/// The way in for readings, cheap to clone. The writer ends when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Ingest {
    queue: mpsc::UnboundedSender<Job>,
    readings: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Ingest {
    /// A queue, and its writer, which the caller runs in a task of its own.
    ///
    /// The writer ends once every handle is dropped and everything is answered; if it ends before
    /// that, the process must stop, since no reading can be taken any more.
    pub fn new(db: Db, settings: IngestSettings) -> (Self, impl Future<Output = ()>) {
        // Unbounded only in name: every job holds room in both semaphores.
        let (queue, jobs) = mpsc::unbounded_channel();
        let ingest = Self {
            queue,
            readings: Arc::new(Semaphore::new(settings.max_readings as usize)),
            bytes: Arc::new(Semaphore::new(settings.max_bytes as usize)),
        };
        (ingest, writer::run(jobs, Committer::new(db)))
    }

    /// Hands readings to the writer and waits until they are committed, or why they are not.
    ///
    /// Answers [`IngestError::Overloaded`] at once where there is no room. A caller that stops
    /// waiting takes nothing back.
    pub async fn submit(&self, submission: Submission) -> Verdict {
        let room = self.room(&submission)?;
        let (reply, verdict) = oneshot::channel();
        let job = Job {
            submission,
            reply,
            room,
        };
        self.queue.send(job).map_err(|_| IngestError::Stopped)?;
        verdict.await.unwrap_or(Err(IngestError::Stopped))
    }

    fn room(&self, submission: &Submission) -> Result<[OwnedSemaphorePermit; 2], IngestError> {
        let take = |semaphore: &Arc<Semaphore>, amount: usize| {
            let amount = u32::try_from(amount).unwrap_or(u32::MAX);
            Arc::clone(semaphore)
                .try_acquire_many_owned(amount)
                .map_err(|_| IngestError::Overloaded)
        };
        // A request without readings waits like one with a single reading.
        Ok([
            take(&self.readings, submission.readings.len().max(1))?,
            take(&self.bytes, size(submission))?,
        ])
    }

    /// Records how much room is left.
    pub fn record_metrics(&self) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge of at most some millions"
        )]
        let set = |name: &'static str, semaphore: &Semaphore| {
            metrics::gauge!(name).set(semaphore.available_permits() as f64);
        };
        set("readout_ingest_room_readings", &self.readings);
        set("readout_ingest_room_bytes", &self.bytes);
    }
}

/// Bytes that a submission takes while it waits.
fn size(submission: &Submission) -> usize {
    let names: usize = submission
        .readings
        .iter()
        .map(|reading| reading.metric.as_str().len())
        .sum();
    size_of::<Job>() + names + size_of_val(submission.readings.as_slice())
}
