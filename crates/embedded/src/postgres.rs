//! The embedded PostgreSQL as the rest of the program sees it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binaries::find_postgres;
use crate::cluster::Cluster;
use crate::console::{Console, identifier, literal};
use crate::folder::{DATA, settle, socket_folder};
use crate::lock::FolderLock;
use crate::supervisor::Supervisor;
use crate::{EmbeddedError, blocking, initdb, url};

/// How the embedded PostgreSQL is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder for everything of this server; made if missing. Nothing else may be in it.
    ///
    /// When we are root and the server's account cannot reach it (below `/root`, say), a folder in `/var/lib/readout`
    /// takes its place, the same one at each start; [`Postgres::data_directory`] tells.
    pub directory: PathBuf,
    /// The database of [`Postgres::url`]; made if missing.
    pub database: String,
    /// More PostgreSQL settings, such as `("max_connections", "100")`. They overrule ours.
    pub extra: Vec<(String, String)>,
    /// Part of the name of the socket; the server does not listen on the network.
    pub port: u16,
    /// How long the server may take to start, a recovery after a crash included.
    pub ready_within: Duration,
}

impl Settings {
    /// A database `readout` in `directory`, with everything else as usual.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            database: "readout".to_owned(),
            extra: Vec::new(),
            port: 5432,
            ready_within: Duration::from_mins(1),
        }
    }
}

/// A running PostgreSQL server that is started again whenever it dies.
///
/// Threads of its own watch it, so it does not matter which runtime started it. Dropping it begins a shutdown without
/// waiting for the end; [`Postgres::stop`] waits. If this process is killed, the server runs on, and the next start on
/// the same folder takes it over.
#[derive(Debug)]
pub struct Postgres {
    supervisor: Supervisor,
    data: PathBuf,
    database: String,
}

impl Postgres {
    /// Starts the server, making the cluster and the database if they are missing, and waits until it is ready.
    pub async fn start(settings: Settings) -> Result<Self, EmbeddedError> {
        blocking(move || Self::start_now(settings)).await
    }

    fn start_now(settings: Settings) -> Result<Self, EmbeddedError> {
        let place = settle(&settings.directory, None)?;
        let lock = FolderLock::take(&place.folder)?;
        let data = place.folder.join(DATA);
        let binaries = find_postgres(Some(&data))?;
        initdb::make_once(&place, &binaries)?;
        let console = Console {
            binaries,
            sockets: socket_folder(&place)?,
            port: settings.port,
        };
        let cluster = Cluster {
            place,
            console,
            extra: settings.extra,
            ready_within: settings.ready_within,
        };
        let supervisor = Supervisor::start(cluster, lock)?;
        if let Err(error) = ensure_database(&supervisor.cluster().console, &settings.database) {
            supervisor.stop()?;
            return Err(error);
        }
        Ok(Self {
            supervisor,
            data,
            database: settings.database,
        })
    }

    /// The URL of the database of the settings, over the unix socket.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for(&self.database)
    }

    /// The URL of another database of this server.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        url::by_socket(self.socket_directory(), self.port(), database)
    }

    /// Where the data really is.
    #[must_use]
    pub fn data_directory(&self) -> &Path {
        &self.data
    }

    /// The folder of the unix socket.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        &self.supervisor.cluster().console.sockets
    }

    /// The port in the name of the unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.supervisor.cluster().console.port
    }

    /// The process id of the server; none while it is being started again.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// Runs SQL by `psql -c` as the superuser: several statements are one transaction. Columns are divided by `|`.
    pub async fn psql(&self, database: &str, sql: &str) -> Result<String, EmbeddedError> {
        let console = self.cluster().console.clone();
        let (database, sql) = (database.to_owned(), sql.to_owned());
        blocking(move || console.psql(&database, &sql)).await
    }

    /// Makes a database unless it is there.
    pub async fn create_database(&self, database: &str) -> Result<(), EmbeddedError> {
        let console = self.cluster().console.clone();
        let database = database.to_owned();
        blocking(move || ensure_database(&console, &database)).await
    }

    /// Shuts the server down and waits for its end: sessions are cut, everything is written.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        blocking(move || self.supervisor.stop()).await
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        self.supervisor.cluster()
    }
}

/// PostgreSQL has no `CREATE DATABASE IF NOT EXISTS`, and somebody may be faster between the question and the deed.
fn ensure_database(console: &Console, database: &str) -> Result<(), EmbeddedError> {
    let question = format!(
        "SELECT 1 FROM pg_database WHERE datname = {}",
        literal(database)
    );
    let is_there = || Ok::<_, EmbeddedError>(console.psql("postgres", &question)? == "1");
    if is_there()? {
        return Ok(());
    }
    let made = console.psql(
        "postgres",
        &format!("CREATE DATABASE {}", identifier(database)),
    );
    match made {
        Err(_) if is_there()? => Ok(()),
        made => made.map(drop),
    }
}
