//! What the tests share: folders that a server's account can reach, and a program that holds a server.

use std::env;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::runtime::Builder;

/// Names the folder to the process that [`Holder`] starts.
const HELD: &str = "EMBEDDED_TEST_HELD_FOLDER";

/// A folder that root's servers can reach too, whatever the umask.
pub(crate) fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.permissions(Permissions::from_mode(0o755));
    builder.tempdir().unwrap()
}

pub(crate) fn settings(folder: &TempDir) -> Settings {
    settings_in(folder.path())
}

fn settings_in(folder: &Path) -> Settings {
    let mut settings = Settings::new(folder.join("postgres"));
    settings.extra = vec![("shared_buffers".to_owned(), "16MB".to_owned())];
    settings
}

pub(crate) async fn start(folder: &TempDir) -> Postgres {
    Postgres::start(settings(folder)).await.unwrap()
}

/// Another program that runs a server in the folder.
pub(crate) struct Holder {
    program: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    pub(crate) fn start(folder: &TempDir) -> Self {
        let mut program = Command::new(env::current_exe().unwrap())
            .args(["--exact", "rig::holder", "--ignored", "--nocapture"])
            .env(HELD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { program, lines }
    }

    /// Waits until the server runs, and tells its process id.
    pub(crate) fn server(&mut self) -> u32 {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        let server = lines.find_map(|line| line.split_once("server=")?.1.parse().ok());
        server.unwrap()
    }

    /// As `kill -9` does, so that nothing is tidied up.
    pub(crate) fn kill(mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

/// The process id of a server whose program has been killed.
pub(crate) fn orphan(folder: &TempDir) -> u32 {
    let mut holder = Holder::start(folder);
    let orphan = holder.server();
    holder.kill();
    assert!(is_alive(orphan));
    orphan
}

#[test]
#[ignore = "this is the program of Holder"]
fn holder() {
    let Some(folder) = env::var_os(HELD).map(PathBuf::from) else {
        return;
    };
    let runtime = Builder::new_current_thread().build().unwrap();
    let server = runtime
        .block_on(Postgres::start(settings_in(&folder)))
        .unwrap();
    println!("server={}", server.pid().unwrap());
    let settings = PgBouncerSettings::new(folder.join("pgbouncer"), 2);
    if settings.directory.exists() {
        let bouncer = runtime
            .block_on(PgBouncer::start(&server, settings))
            .unwrap();
        println!("server={}", bouncer.pid().unwrap());
        thread::sleep(Duration::from_mins(1));
    }
    thread::sleep(Duration::from_mins(1));
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs; one that has ended and waits for its parent does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let ps = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    match ps {
        Ok(stat) => !stat.contains(") Z "),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => kill(Pid::from_raw(pid.try_into().unwrap()), None).is_ok(),
    }
}
