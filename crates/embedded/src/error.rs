//! What can go wrong with an embedded server, said so that one can act on it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why an embedded server could not be started, asked or stopped.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// No PostgreSQL server on this machine.
    #[error(
        "no PostgreSQL server was found (initdb, postgres, psql and pg_isready are needed): install one with \
         `apt-get install postgresql` or `brew install postgresql@17`, or set DATABASE_URL to a server of your own"
    )]
    PostgresMissing,
    /// A cluster is there, and binaries, but of another major version.
    #[error(
        "{} was made by PostgreSQL {needed}, which is not installed ({}): install it with \
         `apt-get install postgresql-{needed}` or `brew install postgresql@{needed}`, or set DATABASE_URL",
        folder.display(),
        match found { Some(major) => format!("version {major} is"), None => "no other version is either".to_owned() }
    )]
    MajorMissing {
        /// The major version that made the cluster.
        needed: u32,
        /// The newest major version that is installed.
        found: Option<u32>,
        /// Where the cluster is.
        folder: PathBuf,
    },
    /// Only versions of PostgreSQL that are too old are installed.
    #[error(
        "the newest PostgreSQL that was found is version {found}, but version {} or newer is needed: install one with \
         `apt-get install postgresql` or `brew install postgresql@17`, or set DATABASE_URL to a server of your own",
        crate::OLDEST_MAJOR
    )]
    PostgresTooOld {
        /// The newest major version that is installed.
        found: u32,
    },
    /// A cluster is there that was made by a version of PostgreSQL that is too old.
    #[error(
        "{} was made by PostgreSQL {made_by}, but version {} or newer is needed: bring it to a newer version with \
         `pg_upgrade`, choose another folder, or set DATABASE_URL",
        folder.display(),
        crate::OLDEST_MAJOR
    )]
    ClusterTooOld {
        /// The major version that made the cluster.
        made_by: u32,
        /// Where the cluster is.
        folder: PathBuf,
    },
    /// No `PgBouncer` on this machine.
    #[error(
        "PgBouncer was not found: install it with `apt-get install pgbouncer` or `brew install pgbouncer`"
    )]
    PgBouncerMissing,
    /// We are root, and there is no account to run the servers as.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a `postgres` nor a `nobody` account: \
         start this program as an ordinary user"
    )]
    AccountMissing,
    /// A folder cannot be used as it is.
    #[error("the folder {} cannot be used: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it, and what would help.
        reason: String,
    },
    /// A symbolic link stands where another account could have put it.
    #[error(
        "{} is a link, which is not followed, as it may lead to what is none of our business: \
         remove it, or choose another folder",
        path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another program uses this folder.
    #[error("the folder {} is in use by process {holder}: stop that program first, or choose another folder", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process id of the program that holds it.
        holder: String,
    },
    /// A server answers on our socket which we did not start and cannot stop.
    #[error(
        "a server that is not ours answers in {}: stop it, or remove that folder when no server runs",
        sockets.display()
    )]
    Occupied {
        /// The folder of the socket.
        sockets: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that should have succeeded did not.
    #[error("{program} failed: {message}")]
    Program {
        /// The program.
        program: String,
        /// What it wrote to standard error.
        message: String,
    },
    /// A server ended before it was ready.
    #[error("{server} ended before it was ready; the last lines of its log:\n{log}")]
    Ended {
        /// The server.
        server: &'static str,
        /// The end of its log.
        log: String,
    },
    /// A server runs, but does not accept connections in time.
    #[error("{server} is not ready after {seconds} s; the last lines of its log:\n{log}")]
    NotReady {
        /// The server.
        server: &'static str,
        /// How long was waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// A server did not end, even when told to by SIGKILL.
    #[error("process {pid} does not end, even when killed")]
    Unstoppable {
        /// The process.
        pid: u32,
    },
    /// The embedded server is being stopped.
    #[error("the embedded server is being stopped")]
    Stopping,
}

impl EmbeddedError {
    /// For `map_err`: says what was tried with which path.
    pub(crate) fn io(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let action = format!("{action} {}", path.display());
        move |source| Self::Io { action, source }
    }

    pub(crate) fn folder(folder: &Path, reason: impl Into<String>) -> Self {
        Self::Folder {
            folder: folder.to_owned(),
            reason: reason.into(),
        }
    }
}
