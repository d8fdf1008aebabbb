//! A server process: our child, or one that an earlier run of this program left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::EmbeddedError;

const POLL: Duration = Duration::from_millis(20);

/// How a process is ended: the signals to send, each with the time it gets.
pub(crate) type Farewell = [(Signal, Duration); 3];

/// A server process. Dropping this leaves the process alone.
#[derive(Debug)]
pub(crate) enum Process {
    Child(Child),
    /// Somebody else's child, known by its process id and by the data folder that it works in.
    Adopted {
        pid: Pid,
        data: PathBuf,
    },
    Gone,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, EmbeddedError> {
        let program = PathBuf::from(command.get_program());
        let child = command
            .spawn()
            .map_err(EmbeddedError::io("run", &program))?;
        Ok(Self::Child(child))
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Child(child) => child.id().try_into().ok().map(Pid::from_raw),
            Self::Adopted { pid, .. } => Some(*pid),
            Self::Gone => None,
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        let runs = match self {
            Self::Child(child) => matches!(child.try_wait(), Ok(None)),
            Self::Adopted { pid, data } => works_in(*pid, data),
            Self::Gone => false,
        };
        if !runs {
            *self = Self::Gone;
        }
        runs
    }

    /// Never reaches a stranger: a child's id is not given anew before we have seen its end.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.is_running()
            && let Some(pid) = self.pid()
        {
            // It may have ended since: nothing is left to do then.
            let _ = kill(pid, signal);
        }
    }

    /// Sends the signals, one after the other, until the process is gone.
    pub(crate) fn end(&mut self, farewell: &Farewell) -> Result<(), EmbeddedError> {
        for (signal, patience) in farewell {
            self.signal(*signal);
            let deadline = Instant::now() + *patience;
            while Instant::now() < deadline && self.is_running() {
                thread::sleep(POLL);
            }
        }
        match self.pid().filter(|_| self.is_running()) {
            Some(pid) => Err(EmbeddedError::Unstoppable {
                pid: pid.as_raw().unsigned_abs(),
            }),
            None => Ok(()),
        }
    }
}

/// Whether `pid` is a living server on the cluster in `data`; PostgreSQL works in that folder.
///
/// A process id alone proves nothing: after a restart of the machine, or of a container, it is someone else's.
pub(crate) fn works_in(pid: Pid, data: &Path) -> bool {
    if Path::new("/proc/self/cwd").exists() {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    }
    let mut ps = Command::new("ps");
    ps.args(["-o", "comm=", "-p", &pid.to_string()]);
    ps.output().is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .ends_with("postgres")
    })
}
