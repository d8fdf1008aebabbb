//! What an earlier run left behind: a server that still runs, or files that would keep a new one from starting.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tracing::info;

use crate::EmbeddedError;
use crate::cluster::{Cluster, POLL};
use crate::console::{Answer, literal};
use crate::process::{Process, works_in};
use crate::supervisor::FAREWELL;

/// PostgreSQL's lock file on its data folder.
const LOCK_FILE: &str = "postmaster.pid";

/// What takes its place.
const NEW_LOCK_FILE: &str = "postmaster.pid.new";

/// A server without a lock file may be about to end.
const GRACE: Duration = Duration::from_secs(5);

/// The server that already runs on this cluster; one that is starting or stopping is waited for.
///
/// `None` means that there is none, and that nothing is in the way of a new one.
pub(crate) fn adopt(
    cluster: &Cluster,
    stopping: &AtomicBool,
) -> Result<Option<Process>, EmbeddedError> {
    let data = cluster.data();
    let (began, since) = (Instant::now(), SystemTime::now());
    while !stopping.load(Ordering::Relaxed) {
        let running = recorded_pid(cluster).filter(|pid| works_in(*pid, &data));
        let answer = cluster.console.knock();
        match running {
            Some(pid) if !cluster.started_alike() => {
                info!(%pid, "the server was started with other settings: it is started again");
                adopted(pid, &data).end(&FAREWELL)?;
            }
            Some(pid) if answer == Answer::Accepts && answers_for(cluster) => {
                info!(%pid, "took over the server that was running");
                return Ok(Some(adopted(pid, &data)));
            }
            Some(_) if began.elapsed() > cluster.ready_within => {
                return Err(cluster.not_ready(since));
            }
            None if answer == Answer::Nothing => {
                clear_the_way(cluster)?;
                return Ok(None);
            }
            None if began.elapsed() > GRACE => {
                let sockets = cluster.console.sockets.clone();
                return Err(EmbeddedError::Occupied { sockets });
            }
            Some(_) | None => {}
        }
        thread::sleep(POLL);
    }
    Err(EmbeddedError::Stopping)
}

fn adopted(pid: Pid, data: &Path) -> Process {
    let data = data.to_owned();
    Process::Adopted { pid, data }
}

/// Whether what answers on our socket is the server of this very cluster.
fn answers_for(cluster: &Cluster) -> bool {
    let data = literal(&cluster.data().to_string_lossy());
    let sql = format!("SELECT current_setting('data_directory') = {data}");
    cluster
        .console
        .psql("postgres", &sql)
        .is_ok_and(|same| same == "t")
}

/// The first line of the lock file; PostgreSQL writes a negative number for a server in single-user mode.
fn recorded_pid(cluster: &Cluster) -> Option<Pid> {
    let text = cluster.open_data().ok()?.read(LOCK_FILE).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    Some(Pid::from_raw(pid.abs())).filter(|pid| pid.as_raw() != 0)
}

fn clear_the_way(cluster: &Cluster) -> Result<(), EmbeddedError> {
    match recorded_pid(cluster) {
        Some(pid) if kill(pid, None) != Err(Errno::ESRCH) => disown(cluster)?,
        Some(_) | None => {}
    }
    clear_sockets(&cluster.console.sockets)
}

/// Makes PostgreSQL see that the lock file is stale, though its process id is in use again, by something else.
///
/// That is common in containers, where ids are small and begin anew with each start. PostgreSQL looks through the id of
/// its own parent, which is us. The rest of the file stays, as PostgreSQL needs it to find processes that still use the
/// cluster's shared memory.
fn disown(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let data = cluster.open_data()?;
    let text = data.read(LOCK_FILE)?;
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    let text = format!("{}\n{rest}", std::process::id());
    cluster.place.write_in(&data, NEW_LOCK_FILE, &text)?;
    data.rename(NEW_LOCK_FILE, LOCK_FILE)
}

/// Removes sockets, and lock files on them, that no server owns any more.
pub(crate) fn clear_sockets(folder: &Path) -> Result<(), EmbeddedError> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(".s.PGSQL.") {
            let path = entry.path();
            fs::remove_file(&path).map_err(EmbeddedError::io("remove", &path))?;
        }
    }
    Ok(())
}
