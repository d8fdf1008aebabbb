//! Taking a connection and opening a transaction without ever abandoning either half way.

use super::{Lane, open::Open};
use crate::{StoreError, error::is_closed};
use sea_orm::{DbErr, RuntimeErr};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// How long a caller waits for a connection before it hears that there is none.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long opening a new connection may take, for example to a database that wakes from sleep.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Taken = Result<Open, sqlx::Error>;

/// When a transaction is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// At once, in a message of its own.
    Now,
    /// Together with the first message of the work.
    WithFirstMessage,
}

/// Takes a connection in a task of its own, and begins a transaction there if that is to be now.
///
/// A caller may be dropped at any moment, and a future dropped inside `BEGIN` leaves the pooled
/// connection in a transaction that nobody ends (sqlx issue 4393). A task is never dropped half
/// way. It also lets a slow connect finish for the benefit of the next caller, though this one has
/// given up.
pub(super) async fn begin(lane: &Lane, opening: Opening) -> Result<Open, StoreError> {
    let (mut caller, taken) = oneshot::channel();
    let lane = lane.clone();
    tokio::spawn(async move {
        let result = begin_on_live_connection(&lane, opening, &mut caller).await;
        // Where the caller has gone, the connection is dropped here, which ends the transaction.
        let _ = caller.send(result);
    });
    match tokio::time::timeout(ACQUIRE_TIMEOUT, taken).await {
        Ok(Ok(result)) => result.map_err(unavailable),
        Ok(Err(_)) | Err(_) => Err(unavailable(sqlx::Error::PoolTimedOut)),
    }
}

/// Whatever keeps a transaction from beginning is an outage, also an answer that makes no sense: a
/// pooler or proxy without a server behind it accepts a connection and says anything or nothing.
fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
}

/// Begins on the first connection that is not dead.
///
/// After a restart of the database or its pooler every idle connection is dead, and only using one
/// tells. Nothing has been sent but `BEGIN`, so taking the next connection is harmless.
async fn begin_on_live_connection(
    lane: &Lane,
    opening: Opening,
    caller: &mut oneshot::Sender<Taken>,
) -> Taken {
    let mut spare = lane.pool.size();
    loop {
        let mut open = Open::new(lane.pool.acquire().await?, Some(Arc::clone(&lane.begin)));
        if caller.is_closed() {
            return Err(sqlx::Error::PoolTimedOut);
        }
        if opening == Opening::WithFirstMessage {
            return Ok(open);
        }
        match open.begun().await.map(drop) {
            Err(error) if spare > 0 && is_closed(&error) => spare -= 1,
            result => return result.map(|()| open),
        }
    }
}
