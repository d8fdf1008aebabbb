//! Opening a transaction without ever abandoning a connection half way.

use super::Lane;
use crate::StoreError;
use sea_orm::{DbErr, RuntimeErr};
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, Transaction, pool::MaybePoolConnection};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// How long a caller waits for a connection before it hears that there is none.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long opening a new connection may take, for example to a database that wakes from sleep.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins a transaction in a task of its own.
///
/// A caller may be dropped at any moment, and a future dropped inside `BEGIN` leaves the pooled
/// connection in a transaction that nobody ends (sqlx issue 4393). A task is never dropped half
/// way. It also lets a slow connect finish for the benefit of the next caller, though this one has
/// given up.
pub(super) async fn begin(lane: &Lane) -> Result<Transaction<'static, Postgres>, StoreError> {
    let (mut caller, begun) = oneshot::channel();
    let lane = lane.clone();
    tokio::spawn(async move {
        let result = begin_on_live_connection(&lane, &mut caller).await;
        // Where the caller has gone, the transaction is dropped here, which rolls it back.
        let _ = caller.send(result);
    });
    match tokio::time::timeout(ACQUIRE_TIMEOUT, begun).await {
        Ok(Ok(result)) => result.map_err(unavailable),
        Ok(Err(_)) | Err(_) => Err(unavailable(sqlx::Error::PoolTimedOut)),
    }
}

/// Whatever keeps a transaction from beginning is an outage, also an answer that makes no sense: a
/// pooler or proxy without a server behind it accepts a connection and says anything or nothing.
fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
}

type Begun = Result<Transaction<'static, Postgres>, sqlx::Error>;

/// Begins on the first connection that is not dead.
///
/// After a restart of the database or its pooler every idle connection is dead, and only using one
/// tells. Nothing has been sent but `BEGIN`, so taking the next connection is harmless.
async fn begin_on_live_connection(lane: &Lane, caller: &mut oneshot::Sender<Begun>) -> Begun {
    let mut spare = lane.pool.size();
    loop {
        let connection = lane.pool.acquire().await?;
        if caller.is_closed() {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let connection = MaybePoolConnection::PoolConnection(connection);
        let statement = AssertSqlSafe(lane.begin.clone()).into_sql_str();
        match Transaction::begin(connection, Some(statement)).await {
            Err(error) if spare > 0 && is_dead(&error) => spare -= 1,
            result => return result,
        }
    }
}

/// Whether an error says that the connection had been closed from the other side.
fn is_dead(error: &sqlx::Error) -> bool {
    match error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
    {
        Some(state) => state.starts_with("57P") || state.starts_with("08"),
        None => matches!(error, sqlx::Error::Io(_)),
    }
}
