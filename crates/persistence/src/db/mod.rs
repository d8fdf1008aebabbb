//! The one way to the database: named transactions on two lanes of a small pool.

mod begin;
mod open;
mod settings;
mod tx;
mod writer;

pub(crate) use open::Done;
pub use settings::DbSettings;
pub use tx::Tx;
pub(crate) use writer::{End, WriterLane};

use crate::StoreError;
use begin::{Opening, begin};
use sqlx::PgPool;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Times that a transaction is tried when it loses against concurrent ones.
const TRIES: u32 = 3;

/// A handle to the database, cheap to clone.
///
/// With more than one connection, some are kept for the ingest writers and the rest serve requests,
/// so that a slow dashboard cannot stop ingest. With one connection both share it.
#[derive(Debug, Clone)]
pub struct Db {
    requests: Lane,
    ingest: Lane,
    writers: u32,
    shared: bool,
}

/// A pool, and how transactions on it begin.
#[derive(Debug, Clone)]
struct Lane {
    pool: PgPool,
    begin: Arc<[String]>,
    statement_timeout: Duration,
    prepared_statements: bool,
}

impl Db {
    /// Prepares the pools; connects only when the first transaction asks for it.
    #[must_use]
    pub fn new(settings: &DbSettings) -> Self {
        let lane = |connections| Lane {
            pool: settings.pool(connections),
            begin: settings.begin_statements(),
            statement_timeout: settings.statement_timeout,
            prepared_statements: settings.prepared_statements,
        };
        let cap = settings.max_connections.max(1);
        let writers = settings
            .ingest_connections
            .clamp(1, cap.saturating_sub(1).max(1));
        let requests = lane(cap.saturating_sub(writers).max(1));
        let shared = cap == 1;
        let ingest = if shared {
            requests.clone()
        } else {
            lane(writers)
        };
        Self {
            requests,
            ingest,
            writers,
            shared,
        }
    }

    /// The lanes of the ingest writers, one for each.
    pub(crate) fn writer_lanes(&self) -> impl Iterator<Item = WriterLane> {
        let lane = || WriterLane::new(self.ingest.clone(), self.shared);
        std::iter::repeat_with(lane).take(self.writers as usize)
    }

    /// Runs `work` in one transaction on the lane of requests, and commits when it succeeds.
    ///
    /// The name goes to the span, the metrics and the log. `work` is run again, at most three
    /// times in all, when the transaction loses against concurrent ones, so it must have no effect
    /// but on the database. Work that swallowed the error of a statement cannot commit.
    pub async fn transaction<T>(
        &self,
        name: &'static str,
        work: impl AsyncFn(&Tx) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        run(&self.requests, name, work).await
    }

    /// How many transactions of requests run at once at most.
    #[must_use]
    pub fn request_connections(&self) -> usize {
        self.requests.pool.options().get_max_connections() as usize
    }

    /// Waits for the transactions under way and closes every connection.
    pub async fn close(&self) {
        self.requests.pool.close().await;
        self.ingest.pool.close().await;
    }

    /// Records how many connections are open and idle.
    pub fn record_metrics(&self) {
        for (lane, pool) in [
            ("requests", &self.requests.pool),
            ("ingest", &self.ingest.pool),
        ] {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            metrics::gauge!("readout_db_connections", "lane" => lane).set(pool.size());
            metrics::gauge!("readout_db_connections_idle", "lane" => lane).set(idle);
        }
    }
}

async fn run<T>(
    lane: &Lane,
    name: &'static str,
    work: impl AsyncFn(&Tx) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        let started = Instant::now();
        let result = attempt(lane, name, &work).await;
        record(name, started, &result);
        match result {
            Err(error) if error.is_retryable() && tries < TRIES => pause(name, &mut tries).await,
            result => return result,
        }
    }
}

/// Waits a little longer after each try, for the others to finish.
async fn pause(name: &'static str, tries: &mut u32) {
    tracing::info!(transaction = name, tries, "transaction lost, trying again");
    tokio::time::sleep(Duration::from_millis(u64::from(10 * *tries * *tries))).await;
    *tries += 1;
}

fn record<T>(name: &'static str, started: Instant, result: &Result<T, StoreError>) {
    let outcome = result
        .as_ref()
        .map_or_else(StoreError::kind, |_| "committed");
    metrics::histogram!("readout_transaction_seconds", "transaction" => name, "outcome" => outcome)
        .record(started.elapsed());
}

async fn attempt<T>(
    lane: &Lane,
    name: &'static str,
    work: &impl AsyncFn(&Tx) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let open = begin(lane, Opening::Now).await?;
    let tx = Tx::new(open, name, lane.prepared_statements);
    match work(&tx).await {
        Ok(value) => tx.commit().await.map(|_| value),
        Err(error) => {
            tx.rollback().await;
            Err(error)
        }
    }
}
