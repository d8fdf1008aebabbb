//! A private PostgreSQL, and a `PgBouncer` before it, run as child processes of this program.
//!
//! Inside, everything is plain blocking code on files and processes; the public functions move it off the asynchronous
//! threads. Servers are watched by threads of their own, so they outlive the runtime that started them.

mod account;
mod binaries;
mod cluster;
mod console;
mod error;
mod folder;
mod initdb;
mod leftover;
mod lock;
mod log;
mod nofollow;
mod pgbouncer;
mod postgres;
mod process;
mod supervisor;
mod url;

pub use binaries::{Binaries, find_pgbouncer, find_postgres};
pub use error::EmbeddedError;
pub use pgbouncer::{PgBouncer, PgBouncerSettings};
pub use postgres::{Postgres, Settings};

/// The role that owns everything in the cluster.
const SUPERUSER: &str = "readout";

/// The oldest major version of PostgreSQL that will do: `date_bin` came with it.
const OLDEST_MAJOR: u32 = 14;

/// Runs blocking `work` where it does not hold up other tasks; it runs to its end even when the caller goes away.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EmbeddedError> + Send + 'static,
) -> Result<T, EmbeddedError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(EmbeddedError::Stopping))
}
