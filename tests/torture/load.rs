//! The load: workers that post, and try again until they know.

use crate::client::{Client, Device, Verdict};
use crate::ledger::Ledger;
use crate::reading::Span;
use crate::tally::Tally;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Devices that post, fewer than workers, so that several write the same series.
pub(crate) const DEVICES: usize = 8;

/// Readings in each request, workers that post so many, and how long each waits between requests, in
/// milliseconds: batches would leave single readings no room otherwise.
const WORKERS: [(u64, usize, u64); 3] = [(1, 32, 0), (100, 6, 40), (1000, 3, 150)];

/// How long a worker waits after an attempt with an unknown outcome.
const BEFORE_RETRY: Duration = Duration::from_millis(30);

/// Every so many acknowledged requests a worker sends one of them again.
const REPEATED: usize = 8;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) devices: Vec<Device>,
    pub(crate) ledger: Ledger,
    pub(crate) tally: Tally,
    /// The next number of each device.
    next: [AtomicU64; DEVICES],
    stopping: AtomicBool,
}

impl Shared {
    pub(crate) fn new(client: Client, devices: Vec<Device>, ledger: Ledger) -> Self {
        Self {
            client,
            devices,
            ledger,
            tally: Tally::default(),
            next: std::array::from_fn(|_| AtomicU64::new(0)),
            stopping: AtomicBool::new(false),
        }
    }

    /// Lets every worker end as soon as its request is acknowledged.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Starts all workers.
pub(crate) fn start(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for (size, count, pause) in WORKERS {
        for number in 0..count {
            let worker = Worker {
                shared: Arc::clone(shared),
                number,
                device: number % DEVICES,
                size,
                pause: Duration::from_millis(pause),
            };
            workers.spawn(worker.run());
        }
    }
    workers
}

struct Worker {
    shared: Arc<Shared>,
    number: usize,
    device: usize,
    size: u64,
    pause: Duration,
}

impl Worker {
    async fn run(self) {
        // Not everyone at the same time.
        let mut since_repeated = self.number % REPEATED;
        while !self.shared.is_stopping() {
            let span = Span {
                device: self.device,
                first: self.shared.next[self.device].fetch_add(self.size, Ordering::Relaxed),
                count: self.size,
            };
            let body = span.body();
            self.deliver(span, &body).await;
            since_repeated += 1;
            if since_repeated == REPEATED {
                self.repeat(span, &body).await;
                since_repeated = 0;
            }
            sleep(self.pause).await;
        }
    }

    /// Posts until it is acknowledged, and puts that down.
    async fn deliver(&self, span: Span, body: &str) {
        let (created, attempts) = self.insist(span, body).await;
        self.shared.ledger.acknowledge(span).await;
        let tally = &self.shared.tally;
        tally.requests.add(1);
        tally.readings.add(span.count);
        tally.created.add(created);
        let stored_before = span.count - created;
        if attempts == 1 {
            tally.stored_unsent.add(stored_before);
        } else {
            tally.retried.add(1);
            tally.stored_before.add(stored_before);
        }
    }

    /// Posts what is acknowledged already: nothing of it may be created again.
    async fn repeat(&self, span: Span, body: &str) {
        let (created, _) = self.insist(span, body).await;
        let tally = &self.shared.tally;
        tally.repeated.add(1);
        tally.created.add(created);
        tally.created_again.add(created);
    }

    /// Posts the same body until the outcome is known; answers how many readings that created, and how
    /// many attempts it took.
    async fn insist(&self, span: Span, body: &str) -> (u64, u64) {
        let Shared {
            client,
            devices,
            tally,
            ..
        } = &*self.shared;
        for attempts in 1.. {
            match client.post(&devices[self.device], span, body).await {
                Verdict::Stored { created } => return (created, attempts),
                Verdict::Broken => tally.broken.add(1),
                Verdict::Failed => tally.failed.add(1),
            }
            sleep(BEFORE_RETRY).await;
        }
        unreachable!("there is always another attempt")
    }
}
