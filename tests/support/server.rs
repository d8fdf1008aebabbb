//! The program under test, as processes.

use std::fs::{File, read_to_string};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{rig::rig, secrets::lines_with_secrets};

const READY_WITHIN: Duration = Duration::from_secs(30);
const ENDED_WITHIN: Duration = Duration::from_secs(30);

/// Its first line on standard output, before the address.
const GREETING: &str = "Readout is listening on ";

/// What stands in the log beside a mail that is logged instead of being sent.
const LOGGED_MAIL: &str = "a mail, which is only logged since SMTP_URL is not set";

/// The program with these arguments and settings, and nothing else of our environment.
pub(crate) fn command(arguments: &[&str], settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(&rig().binary);
    command.args(arguments).env_clear();
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) async fn program(arguments: &[&str], settings: &[(&str, String)]) -> Output {
    let output = command(arguments, settings).output();
    let output = timeout(ENDED_WITHIN, output).await;
    output.expect("the program should have ended").unwrap()
}

/// A running instance. Dropping it kills the process, and prints its log if the test has failed.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    child: Child,
    log: NamedTempFile,
    /// Where it has one, it logs mail instead of sending it, and says so.
    has_own_database: bool,
    // Kept open: a program that cannot write to its output is in trouble.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts `readout serve` and waits until it says where it listens.
    pub(crate) async fn start(settings: &[(&str, String)]) -> Self {
        let log = NamedTempFile::new().unwrap();
        let end_of_log = File::options().append(true).open(log.path()).unwrap();
        let mut child = command(&["serve"], settings)
            .stdout(Stdio::piped())
            .stderr(end_of_log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", rig().binary.display()));
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = timeout(READY_WITHIN, output.next_line()).await;
        let Ok(Ok(Some(first))) = first else {
            panic!("the server did not start:\n{}", contents(&log))
        };
        let Some(url) = first.strip_prefix(GREETING) else {
            panic!("its first line should begin with {GREETING:?}: {first:?}")
        };
        Self {
            url: url.trim_end_matches('/').to_owned(),
            child,
            log,
            has_own_database: settings.iter().all(|(name, _)| *name != "DATABASE_URL"),
            _output: output,
        }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it should be running");
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    /// MiB of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// MiB of memory that it ever took.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let pid = self.child.id().expect("it should be running");
        let status = read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mut values = status.lines().filter_map(|line| line.strip_prefix(name));
        let value = values.next().unwrap().trim().trim_end_matches(" kB");
        value.parse::<u64>().unwrap() / 1_024
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(ENDED_WITHIN, self.child.wait()).await;
        ended.expect("the server should have ended").unwrap()
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        contents(&self.log)
    }

    /// What of its log should never be there while the database is well.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let marks = [
            r#""level":"ERROR""#,
            "background work failed",
            "group not committed",
            "panicked",
        ];
        let log = self.log();
        let lines = log
            .lines()
            .filter(|line| marks.iter().any(|it| line.contains(it)));
        lines.map(str::to_owned).collect()
    }
}

fn contents(log: &NamedTempFile) -> String {
    let log = std::fs::read(log.path()).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.start_kill().ok();
        let log = self.log();
        if std::thread::panicking() {
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(60)..];
            println!("--- log of {}\n{}\n---", self.url, tail.join("\n"));
        } else {
            let mut found = lines_with_secrets(&log);
            if self.has_own_database {
                found.retain(|line| !line.contains(LOGGED_MAIL));
            }
            assert!(found.is_empty(), "secrets in the log: {found:#?}");
        }
    }
}
