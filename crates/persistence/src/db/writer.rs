//! The lane of an ingest writer: one connection that is kept from group to group.

use super::{
    Lane, TRIES, Tx,
    begin::{Opening, begin},
    open::{Done, Open},
    pause, record,
};
use crate::StoreError;
use sqlx::{Postgres, pool::PoolConnection};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// How much longer than its time limit a statement may take to be answered.
const GRACE: Duration = Duration::from_secs(5);

/// The lane of one ingest writer.
///
/// Its transactions begin together with their first message, and its connection is not given back
/// in between, where the pool would test it: each message less is a fifth of a small group.
#[derive(Debug)]
pub(crate) struct WriterLane {
    lane: Lane,
    /// Whether requests use the same connection, so that it must be given back each time.
    shared: bool,
    kept: Option<PoolConnection<Postgres>>,
}

/// How a transaction that met no error is to end.
#[derive(Debug)]
pub(crate) enum End<T> {
    /// With all that it did.
    Commit(T),
    /// As if it had never been.
    Rollback(T),
}

impl Lane {
    /// Bounds what waits for the server by the time limit of so many statements and some more, since a
    /// server that is gone without a word limits nothing.
    async fn in_time<T>(
        &self,
        statements: u32,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let limit = self.statement_timeout * statements + GRACE;
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }
}

impl WriterLane {
    pub(super) fn new(lane: Lane, shared: bool) -> Self {
        Self {
            lane,
            shared,
            kept: None,
        }
    }

    /// Runs `work` in one transaction, as [`super::Db::transaction`] does. Work that finds a dead
    /// connection is run again on another, since nothing can have been committed.
    pub(crate) async fn transaction<T>(
        &mut self,
        name: &'static str,
        work: impl AsyncFn(&Tx) -> Result<End<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let (mut tries, mut spare) = (1, self.lane.pool.size());
        loop {
            let started = Instant::now();
            let (result, finished) = self.attempt(name, &work).await;
            record(name, started, &result);
            match result {
                Err(error) if !finished && error.is_disconnect() && spare > 0 => {
                    tracing::debug!(transaction = name, "connection was dead, taking another");
                    spare -= 1;
                }
                Err(error) if error.is_retryable() && tries < TRIES => {
                    pause(name, &mut tries).await;
                }
                result => return result,
            }
        }
    }

    /// Runs one statement as a transaction of its own, in a single message.
    ///
    /// The statement must do no harm when it is run twice: where the connection is lost, also one that
    /// had been dead for long, it is run again, though it may have been committed. Answers whether that
    /// was so.
    pub(crate) async fn statement(
        &mut self,
        name: &'static str,
        statement: &str,
    ) -> Result<(Done, bool), StoreError> {
        let (mut tries, mut spare) = (1, self.lane.pool.size());
        let mut again = false;
        loop {
            let started = Instant::now();
            let open = self.open().await?;
            let result = self.lane.in_time(1, open.run_alone(statement)).await;
            let result = result.map_err(StoreError::from);
            record(name, started, &result);
            match result {
                Ok((done, connection)) => {
                    self.keep(connection);
                    return Ok((done, again));
                }
                Err(error) if error.is_disconnect() && spare > 0 => {
                    (again, spare) = (true, spare - 1);
                }
                Err(error) if error.is_retryable() && tries < TRIES => {
                    pause(name, &mut tries).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The kept connection or another, with nothing said yet.
    async fn open(&mut self) -> Result<Open, StoreError> {
        match self.kept.take() {
            Some(kept) => Ok(Open::new(kept, Some(Arc::clone(&self.lane.begin)))),
            None => begin(&self.lane, Opening::WithFirstMessage).await,
        }
    }

    /// Gives the connection back, so that a service without work holds none for long.
    pub(crate) fn rest(&mut self) {
        self.kept = None;
    }

    /// Tries once, and answers whether it came as far as COMMIT, after which the outcome of a lost
    /// connection is unknown.
    async fn attempt<T>(
        &mut self,
        name: &'static str,
        work: &impl AsyncFn(&Tx) -> Result<End<T>, StoreError>,
    ) -> (Result<T, StoreError>, bool) {
        let open = match self.open().await {
            Ok(open) => open,
            Err(error) => return (Err(error), true),
        };
        let tx = Tx::new(open, name, self.lane.prepared_statements);
        // Dropping the work drops its statements half way, and `Open` then closes the connection.
        let outcome = self.lane.in_time(2, async { Ok(work(&tx).await) }).await;
        match outcome.unwrap_or_else(|error| Err(error.into())) {
            Ok(End::Commit(value)) => {
                let committed = self.lane.in_time(1, async { Ok(tx.commit().await) }).await;
                let committed = committed.unwrap_or_else(|error| Err(error.into()));
                (committed.map(|it| self.keep(it)).map(|()| value), true)
            }
            Ok(End::Rollback(value)) => {
                self.roll_back(tx).await;
                (Ok(value), false)
            }
            Err(error) => {
                self.roll_back(tx).await;
                (Err(error), false)
            }
        }
    }

    async fn roll_back(&mut self, tx: Tx) {
        let rolled_back = self
            .lane
            .in_time(1, async { Ok(tx.rollback().await) })
            .await;
        if let Ok(Some(connection)) = rolled_back {
            self.keep(connection);
        }
    }

    fn keep(&mut self, connection: PoolConnection<Postgres>) {
        if !self.shared {
            self.kept = Some(connection);
        }
    }
}
