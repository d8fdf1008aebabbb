//! A `PgBouncer` in transaction mode before the embedded PostgreSQL.

mod settings;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;

use crate::binaries::find_pgbouncer;
use crate::cluster::POLL;
use crate::console::{Answer, Console};
use crate::folder::{Place, STARTUP_LOG, settle, socket_folder};
use crate::lock::FolderLock;
use crate::process::{Farewell, Process};
use crate::{EmbeddedError, Postgres, SUPERUSER, blocking, leftover, log, url};

pub use settings::PgBouncerSettings;
use settings::USERS;

const INI: &str = "pgbouncer.ini";

/// Names the socket when there is no TCP port.
const SOCKET_PORT: u16 = 6432;

const READY_WITHIN: Duration = Duration::from_secs(10);

/// SIGINT lets transactions end. What SIGTERM means changed with 1.23, so it is not used.
const FAREWELL: Farewell = [
    (Signal::SIGINT, Duration::from_secs(2)),
    (Signal::SIGQUIT, Duration::from_secs(1)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];

/// It keeps no data, so this loses nothing but the connections.
const SUDDEN: Farewell = [(Signal::SIGKILL, Duration::from_secs(5)); 3];

/// A running `PgBouncer`. Dropping it kills the process.
#[derive(Debug)]
pub struct PgBouncer {
    bouncer: Arc<Bouncer>,
}

/// What it takes to start the process again.
#[derive(Debug)]
struct Bouncer {
    program: PathBuf,
    place: Place,
    console: Console,
    loopback: bool,
    process: Mutex<Process>,
    _lock: FolderLock,
}

impl PgBouncer {
    /// Starts it before `postgres`, which must outlive it, and waits until it accepts connections.
    pub async fn start(
        postgres: &Postgres,
        settings: PgBouncerSettings,
    ) -> Result<Self, EmbeddedError> {
        let target = postgres.cluster().console.clone();
        let account = postgres.cluster().place.account;
        let start = move || {
            let place = settle(&settings.directory, Some(account))?;
            let bouncer = Arc::new(Bouncer::prepare(place, &target, &settings)?);
            bouncer.start()?;
            Ok(Self { bouncer })
        };
        blocking(start).await
    }

    /// The URL of a database through this `PgBouncer`: over TCP if it listens there, else over the unix socket.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        if self.bouncer.loopback {
            return url::by_host("127.0.0.1", self.port(), database);
        }
        url::by_socket(self.socket_directory(), self.port(), database)
    }

    /// The TCP port if it listens there, and in any case the port in the name of the unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.bouncer.console.port
    }

    /// The folder of the unix socket.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        &self.bouncer.console.sockets
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let mut process = self.bouncer.process();
        let pid = process.is_running().then(|| process.pid()).flatten();
        pid.map(|pid| pid.as_raw().unsigned_abs())
    }

    /// Runs SQL through it by `psql`; the database `pgbouncer` is its console (`SHOW POOLS`, `PAUSE`).
    pub async fn psql(&self, database: &str, sql: &str) -> Result<String, EmbeddedError> {
        let console = self.bouncer.console.clone();
        let (database, sql) = (database.to_owned(), sql.to_owned());
        blocking(move || console.psql(&database, &sql)).await
    }

    /// Kills it by SIGKILL, as a crash would.
    pub async fn kill(&self) -> Result<(), EmbeddedError> {
        let bouncer = Arc::clone(&self.bouncer);
        blocking(move || bouncer.process().end(&SUDDEN)).await
    }

    /// Starts it again on the same port, killing it first if it runs.
    pub async fn restart(&self) -> Result<(), EmbeddedError> {
        let bouncer = Arc::clone(&self.bouncer);
        let restart = move || {
            bouncer.process().end(&SUDDEN)?;
            bouncer.start()
        };
        blocking(restart).await
    }

    /// Stops it; transactions get a moment to end.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let bouncer = Arc::clone(&self.bouncer);
        blocking(move || bouncer.process().end(&FAREWELL)).await
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // Nothing is left to try when even this fails.
        drop(self.process().end(&SUDDEN));
    }
}

impl Bouncer {
    fn prepare(
        place: Place,
        target: &Console,
        settings: &PgBouncerSettings,
    ) -> Result<Self, EmbeddedError> {
        let lock = FolderLock::take(&place.folder)?;
        let sockets = socket_folder(&place)?;
        let port = if settings.loopback {
            free_port()?
        } else {
            SOCKET_PORT
        };
        let console = Console {
            sockets,
            port,
            ..target.clone()
        };
        let folder = place.open()?;
        place.write_in(&folder, INI, &settings.file(target, &console))?;
        place.write_in(&folder, USERS, &format!("\"{SUPERUSER}\" \"\"\n"))?;
        Ok(Self {
            program: find_pgbouncer()?,
            console,
            loopback: settings.loopback,
            process: Mutex::new(Process::Gone),
            place,
            _lock: lock,
        })
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> Result<(), EmbeddedError> {
        self.dismiss_leftover()?;
        let log = self.place.open()?.fresh(STARTUP_LOG)?;
        let mut command = self.place.account.command(&self.program);
        command.arg(INI).current_dir(&self.place.folder);
        command.process_group(0).stdout(Stdio::null()).stderr(log);
        *self.process() = Process::spawn(&mut command)?;
        self.wait_ready()
    }

    /// One that outlived a killed program still holds the socket. Our lock says that nobody else wants it.
    fn dismiss_leftover(&self) -> Result<(), EmbeddedError> {
        let deadline = Instant::now() + READY_WITHIN;
        while self.console.knock() != Answer::Nothing {
            // It hangs up instead of answering.
            drop(self.console.psql("pgbouncer", "SHUTDOWN"));
            if Instant::now() > deadline {
                let sockets = self.console.sockets.clone();
                return Err(EmbeddedError::Occupied { sockets });
            }
            thread::sleep(POLL);
        }
        leftover::clear_sockets(&self.console.sockets)
    }

    fn wait_ready(&self) -> Result<(), EmbeddedError> {
        let server = "PgBouncer";
        let deadline = Instant::now() + READY_WITHIN;
        while self.console.knock() != Answer::Accepts {
            let log = || log::tail(&self.log(), &self.place.folder, SystemTime::now());
            if !self.process().is_running() {
                let log = log();
                return Err(EmbeddedError::Ended { server, log });
            }
            if Instant::now() > deadline {
                let (seconds, log) = (READY_WITHIN.as_secs(), log());
                return Err(EmbeddedError::NotReady {
                    server,
                    seconds,
                    log,
                });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.place.folder.join(STARTUP_LOG)
    }
}

/// Between this and the start another program may take the port; then the start fails and can be tried again.
fn free_port() -> Result<u16, EmbeddedError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    let port = address.map(|address| address.port());
    port.map_err(|source| EmbeddedError::Io {
        action: "find a free port of 127.0.0.1".to_owned(),
        source,
    })
}
