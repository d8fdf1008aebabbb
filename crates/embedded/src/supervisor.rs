//! Keeps the server running: a thread that notices its end, starts it again, and stops it in order at last.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tracing::{info, warn};

use crate::EmbeddedError;
use crate::cluster::Cluster;
use crate::leftover;
use crate::lock::FolderLock;
use crate::process::{Farewell, Process};

/// Fast shutdown, which ends sessions and writes everything; then the ways that end in a recovery at the next start.
pub(crate) const FAREWELL: Farewell = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];

const TICK: Duration = Duration::from_millis(100);
const PRUNING: Duration = Duration::from_mins(1);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// A running server and its keeper. Dropping this stops the server without waiting for its end.
#[derive(Debug)]
pub(crate) struct Supervisor {
    watched: Arc<Watched>,
    keeper: Option<JoinHandle<Result<(), EmbeddedError>>>,
}

#[derive(Debug)]
struct Watched {
    cluster: Cluster,
    server: Mutex<Process>,
    stopping: AtomicBool,
}

impl Supervisor {
    /// Starts the server, or takes over the one that runs. The lock is held until the server has ended.
    pub(crate) fn start(cluster: Cluster, lock: FolderLock) -> Result<Self, EmbeddedError> {
        let watched = Arc::new(Watched {
            server: Mutex::new(Process::Gone),
            stopping: AtomicBool::new(false),
            cluster,
        });
        if let Err(error) = watched.launch(Some(watched.cluster.ready_within)) {
            watched.end_server()?;
            return Err(error);
        }
        let for_keeper = Arc::clone(&watched);
        let keeper = thread::Builder::new().name("postgres-keeper".to_owned());
        let keeper = keeper.spawn(move || for_keeper.keep(lock));
        let keeper = keeper.map_err(|source| EmbeddedError::Io {
            action: "start a thread".to_owned(),
            source,
        });
        Ok(Self {
            keeper: Some(keeper.inspect_err(|_| watched.signal_end())?),
            watched,
        })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.watched.cluster
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        let mut server = self.watched.server();
        let pid = server.is_running().then(|| server.pid()).flatten();
        pid.map(|pid| pid.as_raw().unsigned_abs())
    }

    pub(crate) fn stop(mut self) -> Result<(), EmbeddedError> {
        self.watched.signal_end();
        let Some(keeper) = self.keeper.take() else {
            return Ok(());
        };
        keeper.thread().unpark();
        keeper.join().unwrap_or(Err(EmbeddedError::Stopping))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(keeper) = &self.keeper {
            self.watched.signal_end();
            keeper.thread().unpark();
        }
    }
}

impl Watched {
    /// A panic elsewhere does not make the process handle wrong.
    fn server(&self) -> MutexGuard<'_, Process> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Begins a fast shutdown at once: the keeper may not get to it when this process ends right after.
    fn signal_end(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.server().signal(Signal::SIGINT);
    }

    fn launch(&self, patience: Option<Duration>) -> Result<(), EmbeddedError> {
        if let Some(running) = leftover::adopt(&self.cluster, &self.stopping)? {
            *self.server() = running;
            return Ok(());
        }
        *self.server() = self.cluster.spawn()?;
        let is_running = || self.server().is_running();
        self.cluster
            .wait_ready(patience, &self.stopping, is_running)
    }

    /// The keeper's whole life.
    fn keep(&self, lock: FolderLock) -> Result<(), EmbeddedError> {
        let mut pruned = Instant::now();
        while !self.is_stopping() {
            if !self.server().is_running() {
                self.revive();
            }
            if pruned.elapsed() > PRUNING {
                self.cluster.prune_logs();
                pruned = Instant::now();
            }
            thread::park_timeout(TICK);
        }
        let ended = self.end_server();
        drop(lock);
        ended
    }

    /// Tries until it succeeds: processes of the dead server may use its memory for a moment, a disk may be full.
    fn revive(&self) {
        warn!("PostgreSQL has ended unexpectedly: starting it again");
        let mut delay = FIRST_DELAY;
        while !self.is_stopping() {
            match self.launch(None) {
                Ok(()) => return info!("PostgreSQL is back"),
                Err(error) if !self.is_stopping() => {
                    warn!(%error, retry_in_ms = delay.as_millis(), "PostgreSQL does not start");
                }
                Err(_) => return,
            }
            thread::park_timeout(delay);
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    /// The handle is taken out so that nobody waits for the lock meanwhile.
    fn end_server(&self) -> Result<(), EmbeddedError> {
        let mut server = mem::replace(&mut *self.server(), Process::Gone);
        server.end(&FAREWELL)
    }
}
