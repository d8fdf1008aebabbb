//! How the `PgBouncer` is to run, and the file that tells it.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::SUPERUSER;
use crate::console::Console;

/// How the `PgBouncer` is to run.
#[derive(Debug, Clone)]
pub struct PgBouncerSettings {
    /// The folder for its files; made if missing. Nothing else may be in it.
    pub directory: PathBuf,
    /// Connections to PostgreSQL for each database.
    pub pool_size: u32,
    /// The upper bound for each database; usually the same.
    pub max_db_connections: u32,
    /// Connections from clients, all databases together.
    pub max_client_connections: u32,
    /// How long a client waits for a server connection before it is cut off.
    pub query_wait_timeout: Duration,
    /// After what time without use a connection to PostgreSQL is closed.
    pub server_idle_timeout: Duration,
    /// Also listen on a free port of 127.0.0.1, which every account of this machine can reach: for tests only.
    pub loopback: bool,
    /// More lines for the section `[pgbouncer]`. They overrule ours.
    pub extra: Vec<(String, String)>,
}

/// Beside the file of the settings.
pub(super) const USERS: &str = "users.txt";

impl PgBouncerSettings {
    /// `pool_size` connections for each database, on a unix socket, with everything else as usual.
    pub fn new(directory: impl Into<PathBuf>, pool_size: u32) -> Self {
        Self {
            directory: directory.into(),
            pool_size,
            max_db_connections: pool_size,
            max_client_connections: 1000,
            query_wait_timeout: Duration::from_secs(3),
            server_idle_timeout: Duration::from_mins(10),
            loopback: false,
            extra: Vec::new(),
        }
    }

    /// The file that `PgBouncer` reads. It trusts its clients: only who may enter our folders gets here.
    pub(super) fn file(&self, target: &Console, own: &Console) -> String {
        let listen = if self.loopback { "127.0.0.1" } else { "" };
        let mut extra = String::new();
        for (name, value) in &self.extra {
            // Writing to a string cannot fail.
            let _ = writeln!(extra, "{name} = {value}");
        }
        format!(
            "[databases]\n\
             * = host={host} port={port} user={SUPERUSER}\n\
             [pgbouncer]\n\
             listen_addr = {listen}\n\
             listen_port = {own_port}\n\
             unix_socket_dir = {own_host}\n\
             unix_socket_mode = 0700\n\
             auth_type = trust\n\
             auth_file = {USERS}\n\
             admin_users = {SUPERUSER}\n\
             pool_mode = transaction\n\
             default_pool_size = {pool_size}\n\
             max_db_connections = {max_db}\n\
             max_client_conn = {max_clients}\n\
             query_wait_timeout = {wait}\n\
             server_login_retry = 1\n\
             server_idle_timeout = {idle}\n\
             log_connections = 0\n\
             log_disconnections = 0\n\
             log_pooler_errors = 0\n\
             log_stats = 0\n\
             {extra}",
            host = target.sockets.display(),
            port = target.port,
            own_port = own.port,
            own_host = own.sockets.display(),
            pool_size = self.pool_size,
            max_db = self.max_db_connections,
            max_clients = self.max_client_connections,
            wait = self.query_wait_timeout.as_secs(),
            idle = self.server_idle_timeout.as_secs(),
        )
    }
}
