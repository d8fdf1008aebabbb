//! The connection of a transaction, from its first message to its last.

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Either, Executor, PgConnection, Postgres,
    pool::PoolConnection,
    postgres::{PgQueryResult, PgRow},
};
use std::{iter, mem, sync::Arc};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// What one statement of a message came to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The rows that it answered.
    pub(crate) rows: Vec<PgRow>,
    /// How many rows it touched.
    pub(crate) affected: u64,
}

/// A connection in a transaction. One that is dropped before the transaction has ended is closed,
/// so that nobody goes on in a transaction of someone else.
#[derive(Debug)]
pub(super) struct Open {
    connection: Option<PoolConnection<Postgres>>,
    /// The statements that open the transaction, `BEGIN` first, if they are still to be sent.
    opening: Option<Arc<[String]>>,
    /// What is to be sent in one message with COMMIT.
    closing: Vec<String>,
    ended: bool,
}

impl Open {
    /// A transaction on this connection; `opening` is what is still to be sent to open it.
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        opening: Option<Arc<[String]>>,
    ) -> Self {
        Self {
            connection: Some(connection),
            opening,
            closing: Vec::new(),
            ended: false,
        }
    }

    /// The connection, with the transaction opened on it.
    pub(super) async fn begun(&mut self) -> Result<&mut PgConnection> {
        if let Some(opening) = self.opening.take() {
            send(self.connection()?, &opening).await?;
        }
        self.connection()
    }

    /// Runs statements in one message, together with what opens the transaction.
    pub(super) async fn message<const N: usize>(
        &mut self,
        statements: [String; N],
    ) -> Result<[Done; N]> {
        let mut all = self
            .opening
            .take()
            .map(|it| it.to_vec())
            .unwrap_or_default();
        all.extend(statements);
        last(send(self.connection()?, &all).await?)
    }

    /// Runs statements in one message with COMMIT, so that all of what is done is done.
    pub(super) async fn last_message<const N: usize>(
        &mut self,
        statements: [String; N],
    ) -> Result<[Done; N]> {
        let mut all = mem::take(&mut self.closing);
        all.extend(statements);
        all.push("COMMIT".to_owned());
        self.begun().await?;
        let mut done = send(self.connection()?, &all).await?;
        self.ended = true;
        done.pop();
        last(done)
    }

    /// Runs one statement as a transaction of its own, in one message, and answers the connection.
    ///
    /// Several statements in one message are one transaction, which ends with it (`PostgreSQL`'s manual,
    /// "Multiple Statements in a Simple Query").
    pub(super) async fn run_alone(
        mut self,
        statement: &str,
    ) -> Result<(Done, PoolConnection<Postgres>)> {
        let opening = self.opening.take();
        let isolation = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned();
        let bounds = opening.iter().flat_map(|it| it.iter().skip(1).cloned());
        let message: Vec<String> = iter::once(isolation)
            .chain(bounds)
            .chain([statement.to_owned()])
            .collect();
        let mut done = send(self.connection()?, &message).await?;
        let last = done.pop().unwrap_or_default();
        Ok((last, self.connection.take().ok_or_else(gone)?))
    }

    /// Loads rows in the binary form of COPY.
    pub(super) async fn copy_in(&mut self, statement: &str, rows: &[u8]) -> Result<u64> {
        let mut copy = self.begun().await?.copy_in_raw(statement).await?;
        copy.send(rows).await?;
        copy.finish().await
    }

    /// Keeps a statement for the message that commits.
    pub(super) fn at_commit(&mut self, statement: String) {
        self.closing.push(statement);
    }

    /// Commits, and answers the connection, which is as good as new.
    pub(super) async fn commit(self) -> Result<PoolConnection<Postgres>> {
        self.end("COMMIT").await
    }

    /// Rolls back, and answers the connection, which is as good as new.
    pub(super) async fn rollback(mut self) -> Result<PoolConnection<Postgres>> {
        self.closing.clear();
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &str) -> Result<PoolConnection<Postgres>> {
        if self.opening.is_none() && !self.ended {
            let mut last = mem::take(&mut self.closing);
            last.push(how.to_owned());
            send(self.connection()?, &last).await?;
        }
        self.connection.take().ok_or_else(gone)
    }

    fn connection(&mut self) -> Result<&mut PgConnection> {
        self.connection.as_deref_mut().ok_or_else(gone)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection
            && self.opening.is_none()
            && !self.ended
        {
            connection.close_on_drop();
        }
    }
}

/// What the last statements of a message came to.
fn last<const N: usize>(mut done: Vec<Done>) -> Result<[Done; N]> {
    let first = done.len().saturating_sub(N);
    done.drain(..first);
    done.try_into().map_err(|_| {
        sqlx::Error::Protocol("a message was answered with too few results".to_owned())
    })
}

/// A connection is taken out only when the transaction ends, and with it the handle.
fn gone() -> sqlx::Error {
    sqlx::Error::Protocol("the transaction has ended".to_owned())
}

/// Sends statements as one message of the simple protocol, and collects what each came to.
async fn send(connection: &mut PgConnection, statements: &[String]) -> Result<Vec<Done>> {
    let message = sqlx::raw_sql(AssertSqlSafe(statements.join(";")));
    let mut answers = connection.fetch_many(message);
    let mut done = Vec::with_capacity(statements.len());
    let mut rows = Vec::new();
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(result) => done.push(Done {
                rows: mem::take(&mut rows),
                affected: PgQueryResult::rows_affected(&result),
            }),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(done)
}
