//! How to reach the database and how much of it to take.

use super::begin::CONNECT_TIMEOUT;
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{sync::Arc, time::Duration};

/// Connections idle for so long are closed, so that a sleeping instance holds none.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// How to reach the database.
#[derive(Clone)]
pub struct DbSettings {
    options: PgConnectOptions,
    /// Most connections of this process, at least 1.
    pub max_connections: u32,
    /// How many of them are kept for ingest, each with a writer of its own; at least one is left for
    /// requests, and with a single connection both share it.
    pub ingest_connections: u32,
    /// Whether statements may be named, which a transaction pooler must support
    /// (`PgBouncer` from 1.21 with `max_prepared_statements`).
    pub prepared_statements: bool,
    /// Time limit of each statement.
    pub statement_timeout: Duration,
}

/// The text is not the URL of a database.
#[derive(Debug, thiserror::Error)]
#[error("is not a PostgreSQL URL such as postgres://user:password@host:5432/database")]
pub struct DbUrlError;

impl DbSettings {
    /// Reads a URL, with the defaults of the other settings: 4 connections, 2 of them for ingest, unnamed statements,
    /// 15 seconds a statement.
    pub fn parse(url: &str) -> Result<Self, DbUrlError> {
        let has_scheme = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        let options: PgConnectOptions = url.parse().map_err(|_| DbUrlError)?;
        if !has_scheme {
            return Err(DbUrlError);
        }
        Ok(Self {
            // PgBouncer refuses extra_float_digits at start-up, unless told to ignore it; nothing
            // here reads binary floats.
            options: options
                .extra_float_digits(None)
                .application_name("readout")
                .disable_statement_logging(),
            max_connections: 4,
            ingest_connections: 2,
            prepared_statements: false,
            statement_timeout: Duration::from_secs(15),
        })
    }

    /// A pool of so many connections, none of them open yet.
    pub(super) fn pool(&self, connections: u32) -> PgPool {
        let cache = if self.prepared_statements { 100 } else { 0 };
        PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(0)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(self.options.clone().statement_cache_capacity(cache))
    }

    /// Opens a transaction and bounds its statements. Compiling a plan takes longer than any of ours
    /// runs, above all with many partitions.
    pub(super) fn begin_statements(&self) -> Arc<[String]> {
        let millis = self.statement_timeout.as_millis();
        Arc::new([
            // Where a role or a database has another default, what the locks promise would not hold.
            "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(),
            format!("SET LOCAL statement_timeout = {millis}"),
            "SET LOCAL jit = off".to_owned(),
        ])
    }
}

impl std::fmt::Debug for DbSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The options hold a password.
        f.debug_struct("DbSettings")
            .field("max_connections", &self.max_connections)
            .field("ingest_connections", &self.ingest_connections)
            .field("prepared_statements", &self.prepared_statements)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}
