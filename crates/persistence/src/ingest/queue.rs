//! The bounded queue between requests and the writer.

use super::{
    Identity, IngestError, Mode, Submission, Verdict,
    commit::Committer,
    directory::Directory,
    months::Months,
    room::{Bodies, Room},
    writer::{self, GROUP_READINGS, Work},
};
use crate::Db;
use chrono::TimeDelta;
use domain::{
    Timestamp,
    device::{DeviceKey, DeviceKeyHash},
};
use futures_util::future::join_all;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Most submissions that wait to be committed alone: each delays everyone who came after it.
const MOST_ALONE: usize = 16;

/// How much may wait for the writer, and how late readings may be.
#[derive(Debug, Clone, Copy)]
pub struct IngestSettings {
    /// Most readings that wait or are being written, over all requests.
    pub max_readings: u32,
    /// Most bytes of memory that they take, over all requests; and as many again for bodies.
    pub max_bytes: u32,
    /// How much older than the newest reading of its metric one may be to be judged by rules; the same on all
    /// instances.
    pub lateness: TimeDelta,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            max_readings: 100_000,
            max_bytes: 32 * 1024 * 1024,
            lateness: TimeDelta::minutes(10),
        }
    }
}

/// A submission on its way, with the one who waits for the answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    reply: oneshot::Sender<Verdict>,
    room: Vec<OwnedSemaphorePermit>,
}

fn take(semaphore: &Arc<Semaphore>, amount: usize) -> Result<OwnedSemaphorePermit, IngestError> {
    let amount = u32::try_from(amount).unwrap_or(u32::MAX);
    Arc::clone(semaphore)
        .try_acquire_many_owned(amount)
        .map_err(|_| IngestError::Overloaded)
}

impl Job {
    /// Answers the caller; one who has gone is no error.
    ///
    /// The room is free before the caller knows, who may use it at once.
    pub(super) fn answer(self, verdict: Verdict) {
        let Self { work, reply, room } = self;
        drop((work, room));
        let _ = reply.send(verdict);
    }
}

/// The way in for readings, cheap to clone. The writers end when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Ingest {
    queue: mpsc::UnboundedSender<Job>,
    directory: Directory,
    readings: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    alone: Arc<Semaphore>,
    bodies: Arc<Bodies>,
    taken: IngestCount,
}

/// How many readings were handed to the writers since the start, for whoever wants to stay out of their way.
#[derive(Debug, Clone, Default)]
pub struct IngestCount(Arc<AtomicU64>);

impl IngestCount {
    /// The number, which only grows.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, readings: usize) {
        self.0.fetch_add(readings as u64, Ordering::Relaxed);
    }
}

impl Ingest {
    /// A queue, and its writers, which the caller runs in a task of its own.
    ///
    /// They end once every handle is dropped and everything is answered; if they end before that,
    /// the process must stop, since no reading can be taken any more.
    pub fn new(db: &Db, settings: IngestSettings) -> (Self, impl Future<Output = ()> + 'static) {
        // Unbounded only in name: every job holds room in both semaphores.
        let (queue, jobs) = mpsc::unbounded_channel();
        let directory = Directory::new();
        let (jobs, months) = (Arc::new(Mutex::new(jobs)), Arc::<Months>::default());
        let writer = |lane| {
            let committer = Committer::new(
                lane,
                Arc::clone(&months),
                directory.clone(),
                settings.lateness,
            );
            writer::run(Arc::clone(&jobs), committer)
        };
        let writers: Vec<_> = db.writer_lanes().map(writer).collect();
        let ingest = Self {
            queue,
            directory,
            readings: Arc::new(Semaphore::new(settings.max_readings as usize)),
            bytes: Arc::new(Semaphore::new(settings.max_bytes as usize)),
            alone: Arc::new(Semaphore::new(MOST_ALONE)),
            bodies: Bodies::new(settings.max_bytes as usize),
            taken: IngestCount::default(),
        };
        (ingest, async move {
            join_all(writers).await;
        })
    }

    /// Finds out who posts with this key, before anything of a request is read. Whether the device
    /// may still post when its readings are committed is asked again then.
    pub async fn identify(
        &self,
        key: DeviceKeyHash,
        now: Timestamp,
    ) -> Result<Identity, IngestError> {
        if let Some(identity) = self.directory.identity(&key) {
            return Ok(identity);
        }
        // The writer finds out, many at a time.
        self.submit(knock(key, now)).await?;
        // It is not there any more only where a great many others came between.
        self.directory.identity(&key).ok_or(IngestError::Overloaded)
    }

    /// Whether the writers and their database answer; on their lane, since its transactions are short
    /// and slow queries of others make nobody unready.
    pub async fn check(&self, now: Timestamp) -> Result<(), IngestError> {
        let nobody = DeviceKey::new([0; 32]).hash();
        match self.submit(knock(nobody, now)).await {
            // Where too much waits, something is at work.
            Ok(_)
            | Err(IngestError::UnknownKey | IngestError::Disabled(_) | IngestError::Overloaded) => {
                Ok(())
            }
            Err(error @ (IngestError::Stopped | IngestError::Store(_))) => Err(error),
        }
    }

    /// Room for what a request of this device takes of memory, of which nothing is taken yet.
    #[must_use]
    pub fn room(&self, who: Identity) -> Room {
        Room::new(Arc::clone(&self.bodies), who)
    }

    /// Hands readings to the writers and waits until they are committed, or why they are not.
    ///
    /// Answers [`IngestError::Overloaded`] at once where there is no room. More readings than make a
    /// group are committed in slices, unless they are to be stored together. A caller that stops
    /// waiting takes nothing back.
    pub async fn submit(&self, submission: Submission) -> Verdict {
        let slices: Vec<_> = slices(submission)
            .into_iter()
            .map(|slice| Ok((self.room_for(&slice)?, slice)))
            .collect::<Result<_, IngestError>>()?;
        let mut outcomes = Vec::new();
        // One after the other, since two writers would not keep their order, and of readings with one
        // key the first one counts.
        for (room, slice) in slices {
            let more = self.hand_over(slice, room).await?;
            if outcomes.is_empty() {
                outcomes = more;
            } else {
                outcomes.extend(more);
            }
        }
        Ok(outcomes)
    }

    /// Takes the room that a submission needs, if there is as much.
    fn room_for(&self, submission: &Submission) -> Result<Vec<OwnedSemaphorePermit>, IngestError> {
        let mut room = Vec::with_capacity(3);
        // A request without readings waits like one with a single reading.
        room.push(take(&self.readings, submission.readings.len().max(1))?);
        room.push(take(&self.bytes, size(submission))?);
        if submission.mode != Mode::Each {
            room.push(take(&self.alone, 1)?);
        }
        Ok(room)
    }

    async fn hand_over(&self, submission: Submission, room: Vec<OwnedSemaphorePermit>) -> Verdict {
        self.taken.add(submission.readings.len());
        let (reply, verdict) = oneshot::channel();
        // Here and not in the writer, of which there are few.
        let resolved = self.directory.resolve(&submission);
        let work = Work {
            submission,
            resolved,
        };
        let job = Job { work, reply, room };
        self.queue.send(job).map_err(|_| IngestError::Stopped)?;
        verdict.await.unwrap_or(Err(IngestError::Stopped))
    }

    /// Counts the readings that come in here; keeps no writer at work.
    #[must_use]
    pub fn count(&self) -> IngestCount {
        self.taken.clone()
    }

    /// Records how much room is left.
    pub fn record_metrics(&self) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge of at most some millions"
        )]
        let set = |name: &'static str, left: usize| metrics::gauge!(name).set(left as f64);
        set(
            "readout_ingest_room_readings",
            self.readings.available_permits(),
        );
        set("readout_ingest_room_bytes", self.bytes.available_permits());
        set("readout_ingest_room_bodies", self.bodies.left());
    }
}

/// Asks only whether the key is good.
fn knock(key: DeviceKeyHash, now: Timestamp) -> Submission {
    Submission {
        key,
        readings: Vec::new(),
        mode: Mode::Each,
        received_at: now,
    }
}

/// Cuts what is more than a group, where parts of it may be stored without the others.
fn slices(mut submission: Submission) -> Vec<Submission> {
    let mut slices = Vec::with_capacity(1);
    while submission.mode == Mode::Each && submission.readings.len() > GROUP_READINGS {
        let rest = submission.readings.split_off(GROUP_READINGS);
        let slice = Submission {
            readings: std::mem::replace(&mut submission.readings, rest),
            ..submission
        };
        slices.push(slice);
    }
    slices.push(submission);
    slices
}

/// Bytes that a submission takes while it waits. Readings in a run share the name of their metric.
fn size(submission: &Submission) -> usize {
    let mut names = 0;
    let mut last = "";
    for reading in &submission.readings {
        let name = reading.metric.as_str();
        if name != last {
            names += name.len();
        }
        last = name;
    }
    size_of::<Job>() + names + size_of_val(submission.readings.as_slice())
}
