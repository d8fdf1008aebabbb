//! One PostgreSQL cluster: with which settings its server runs, how it is started, and when it is ready.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::console::{Answer, Console};
use crate::folder::{DATA, LOG, Place, STARTUP_LOG};
use crate::nofollow::{self, Folder};
use crate::process::Process;
use crate::{EmbeddedError, log};

/// Between two looks at a server that starts or stops.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// Durable first, then sized for a small machine, then a log that stays small.
const SETTINGS: [(&str, &str); 18] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "50"),
    ("shared_buffers", "256MB"),
    ("max_wal_size", "2GB"),
    ("wal_compression", "on"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_destination", "stderr"),
    ("logging_collector", "on"),
    ("log_directory", "../log"),
    ("log_filename", log::FILE_NAME),
    ("log_rotation_size", log::FILE_SIZE),
    ("log_rotation_age", "1d"),
    ("cluster_name", crate::SUPERUSER),
];

/// A cluster that has been made.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) place: Place,
    pub(crate) console: Console,
    /// More settings for the server; the last word counts.
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) ready_within: Duration,
}

impl Cluster {
    pub(crate) fn data(&self) -> PathBuf {
        self.place.folder.join(DATA)
    }

    /// The folder of the data, opened.
    pub(crate) fn open_data(&self) -> Result<Folder, EmbeddedError> {
        self.place.open()?.inside(DATA)
    }

    fn logs(&self) -> PathBuf {
        self.place.folder.join(LOG)
    }

    fn startup_log(&self) -> PathBuf {
        self.place.folder.join(STARTUP_LOG)
    }

    /// Starts the server in a process group of its own: Ctrl-C at the terminal is for us, and we stop it in order.
    pub(crate) fn spawn(&self) -> Result<Process, EmbeddedError> {
        self.place.claim_inside(LOG)?;
        let startup = self.place.open()?.fresh(STARTUP_LOG)?;
        let postgres = self.console.binaries.program("postgres");
        let mut command = self.place.account.command(postgres);
        command.args(self.arguments()).process_group(0);
        Process::spawn(command.stdout(Stdio::null()).stderr(startup))
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["-D".into(), self.data().into_os_string()];
        let sockets = self.console.sockets.display();
        let own = [
            format!("unix_socket_directories={sockets}"),
            format!("port={}", self.console.port),
        ];
        let fixed = SETTINGS
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let extra = self.extra.iter();
        let extra = extra.map(|(name, value)| format!("{name}={value}"));
        for setting in fixed.chain(extra).chain(own) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        arguments
    }

    /// Whether the server that runs on the data was started with the same arguments as we would give it.
    pub(crate) fn started_alike(&self) -> bool {
        let noted = nofollow::read(&self.data().join("postmaster.opts")).unwrap_or_default();
        let noted = String::from_utf8_lossy(&noted);
        let ours = self.arguments();
        let ours = ours
            .iter()
            .map(|one| format!(" \"{}\"", one.to_string_lossy()));
        noted
            .trim_end_matches('\n')
            .ends_with(&ours.collect::<String>())
    }

    /// Waits until the server answers; `patience` without end is for one that may take long to recover.
    pub(crate) fn wait_ready(
        &self,
        patience: Option<Duration>,
        stopping: &AtomicBool,
        mut is_running: impl FnMut() -> bool,
    ) -> Result<(), EmbeddedError> {
        let (began, since) = (Instant::now(), SystemTime::now());
        loop {
            if stopping.load(Ordering::Relaxed) {
                return Err(EmbeddedError::Stopping);
            }
            if !is_running() {
                let log = self.log_tail(since);
                let server = "PostgreSQL";
                return Err(EmbeddedError::Ended { server, log });
            }
            if self.console.knock() == Answer::Accepts {
                return Ok(());
            }
            if patience.is_some_and(|patience| began.elapsed() > patience) {
                return Err(self.not_ready(since));
            }
            thread::sleep(POLL);
        }
    }

    pub(crate) fn not_ready(&self, since: SystemTime) -> EmbeddedError {
        EmbeddedError::NotReady {
            server: "PostgreSQL",
            seconds: self.ready_within.as_secs(),
            log: self.log_tail(since),
        }
    }

    fn log_tail(&self, since: SystemTime) -> String {
        // File times are coarser than the clock.
        let since = since.checked_sub(Duration::from_secs(1)).unwrap_or(since);
        log::tail(&self.startup_log(), &self.logs(), since)
    }

    pub(crate) fn prune_logs(&self) {
        // Logs that stay are tried again at the next round.
        if let Ok(logs) = self.place.open().and_then(|place| place.inside(LOG)) {
            log::prune(&logs);
        }
    }
}
