//! What it costs: processor time, WAL and commits, read before and after.

use crate::rig::Rig;
use std::fs;

/// Of `/proc/…/stat`, a hundredth of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Who spends processor time.
pub(crate) const SPENDERS: [&str; 4] = ["server", "pgbouncer", "postgres", "generator"];

/// The state of all counters, or the difference of two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    /// Transactions that the ingest writer has committed, and the readings in them.
    pub(crate) commits: f64,
    pub(crate) committed: f64,
    /// Bytes of WAL.
    pub(crate) wal: f64,
    /// Seconds of processor time, by [`SPENDERS`].
    pub(crate) cpu: [f64; 4],
}

impl Meter {
    /// Reads all counters; `server` is the process that requests go to.
    pub(crate) async fn read(rig: &Rig, server: u32) -> Self {
        let figures = rig.figures().await;
        let wal = rig
            .number("pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
            .await;
        let [_, pooler, postmaster] = rig.pids();
        let own = std::process::id();
        Self {
            commits: figure(&figures, "readout_ingest_group_readings_count"),
            committed: figure(&figures, "readout_ingest_group_readings_sum"),
            #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
            wal: wal as f64,
            cpu: [server, pooler, postmaster, own].map(|pid| {
                let seconds = cpu_seconds(pid);
                let children = if pid == postmaster {
                    children(pid)
                } else {
                    vec![]
                };
                seconds + children.into_iter().map(cpu_seconds).sum::<f64>()
            }),
        }
    }

    /// What was spent since an earlier state.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            commits: self.commits - earlier.commits,
            committed: self.committed - earlier.committed,
            wal: self.wal - earlier.wal,
            cpu: std::array::from_fn(|n| self.cpu[n] - earlier.cpu[n]),
        }
    }
}

/// A figure of Prometheus' text format; none is nothing yet.
fn figure(figures: &str, name: &str) -> f64 {
    let mut lines = figures.lines().filter_map(|line| line.strip_prefix(name));
    let value = lines.find_map(|rest| rest.strip_prefix(' '));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// Processor time of a process and of its children that have ended.
fn cpu_seconds(pid: u32) -> f64 {
    // One that ends meanwhile is counted with its parent.
    let ticks = fields(pid).into_iter().skip(11).take(4);
    ticks
        .map(|field| field.parse::<f64>().unwrap())
        .sum::<f64>()
        / TICKS_PER_SECOND
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter(|pid| fields(*pid).get(1) == Some(&parent.to_string()))
        .collect()
}

/// The fields of `/proc/…/stat` after the name, which may hold anything, from the state on.
fn fields(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let (_, rest) = text.rsplit_once(") ").unwrap_or_default();
    rest.split_whitespace().map(str::to_owned).collect()
}

/// Memory of a process in MiB: `VmRSS` now, `VmHWM` at its peak.
pub(crate) fn mebibytes(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.map_or(0, |kib| kib.parse::<u64>().unwrap() / 1024)
}
