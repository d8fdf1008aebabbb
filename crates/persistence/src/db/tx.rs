//! A transaction under way: the only thing that statements run on.

use super::open::{Done, Open};
use crate::StoreError;
use domain::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Executor, Postgres, Row,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

/// A transaction under way.
///
/// Entities run on it through [`ConnectionTrait`]; statements are unnamed, since a named one
/// outlives the transaction on a server connection that the next transaction will not get.
#[derive(Debug)]
pub struct Tx {
    open: Mutex<Open>,
    failed: OnceLock<StoreError>,
    name: &'static str,
    persistent: bool,
}

impl Tx {
    pub(super) fn new(open: Open, name: &'static str, persistent: bool) -> Self {
        Self {
            open: Mutex::new(open),
            failed: OnceLock::new(),
            name,
            persistent,
        }
    }

    /// Commits, unless a statement failed before, and answers the connection for further use.
    ///
    /// PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and no error, so what
    /// was taken for stored would be gone.
    pub(super) async fn commit(self) -> Result<PoolConnection<Postgres>, StoreError> {
        let open = self.open.into_inner();
        if let Some(error) = self.failed.into_inner() {
            tracing::error!(
                transaction = self.name,
                "commit of a failed transaction refused"
            );
            let _ = open.rollback().await;
            return Err(error);
        }
        open.commit().await.map_err(StoreError::from)
    }

    /// Rolls back, and answers the connection if it still works. Nothing was committed either way.
    pub(super) async fn rollback(self) -> Option<PoolConnection<Postgres>> {
        let result = self.open.into_inner().rollback().await;
        if let Err(error) = &result {
            tracing::debug!(transaction = self.name, %error, "rollback failed");
        }
        result.ok()
    }

    /// Runs statements in one message, the cheapest way for more than one, and answers what each
    /// came to.
    ///
    /// They have no parameters, so nothing may stand in them but our own words, numbers, hex digits and
    /// checked names. Values come back in text form.
    pub(crate) async fn message<const N: usize>(
        &self,
        statements: [String; N],
    ) -> Result<[Done; N], StoreError> {
        let result = self.open.lock().await.message(statements).await;
        self.note(result)
    }

    /// Runs statements in one message with COMMIT, for work that only reads: nothing may be run after it.
    pub(crate) async fn last_message<const N: usize>(
        &self,
        statements: [String; N],
    ) -> Result<[Done; N], StoreError> {
        let result = self.open.lock().await.last_message(statements).await;
        self.note(result)
    }

    /// Loads rows in the binary form of COPY, and answers how many there were.
    pub(crate) async fn copy_in(&self, statement: &str, rows: &[u8]) -> Result<u64, StoreError> {
        let result = self.open.lock().await.copy_in(statement, rows).await;
        self.note(result)
    }

    /// Leaves a statement to be sent in one message with COMMIT.
    pub(crate) async fn at_commit(&self, statement: String) {
        self.open.lock().await.at_commit(statement);
    }

    /// Runs a statement and answers how many rows it touched.
    pub(crate) async fn execute(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<u64, StoreError> {
        let query = query.persistent(self.persistent);
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => query.execute(connection).await,
            Err(error) => Err(error),
        };
        self.note(result).map(|done| done.rows_affected())
    }

    /// Runs a statement and collects its rows.
    pub(crate) async fn fetch_all(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let query = query.persistent(self.persistent);
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => query.fetch_all(connection).await,
            Err(error) => Err(error),
        };
        self.note(result)
    }

    /// Runs a statement and takes its first row, if there is one.
    pub(crate) async fn fetch_optional(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Option<PgRow>, StoreError> {
        let query = query.persistent(self.persistent);
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => query.fetch_optional(connection).await,
            Err(error) => Err(error),
        };
        self.note(result)
    }

    /// Runs a statement whose one row says yes or no.
    pub(crate) async fn fetch_bool(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<bool, StoreError> {
        match self.fetch_optional(query).await? {
            Some(row) => Ok(row.try_get(0)?),
            None => Ok(false),
        }
    }

    /// Whether there is anything to do at a time, by a query of that time, and nobody else is at it, for as long as
    /// this transaction takes.
    pub(crate) async fn is_due(
        &self,
        query: &'static str,
        now: Timestamp,
        lock: i64,
    ) -> Result<bool, StoreError> {
        let alone = "select pg_try_advisory_xact_lock($1)";
        Ok(self.fetch_bool(sqlx::query(query).bind(now)).await?
            && self.fetch_bool(sqlx::query(alone).bind(lock)).await?)
    }

    /// Remembers that a statement failed.
    fn note<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        self.note_db(result.map_err(query_error))
            .map_err(StoreError::from)
    }

    fn note_db<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &result {
            // Only the first failure is the cause; the later ones are its echo.
            let _ = self.failed.set(error.clone().into());
        }
        result
    }

    fn bind<'q>(&self, statement: &'q Statement) -> Query<'q, Postgres, SqlxValues> {
        let values = statement
            .values
            .clone()
            .unwrap_or(sea_orm::Values(Vec::new()));
        sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
            .persistent(self.persistent)
    }
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => self.bind(&statement).execute(connection).await,
            Err(error) => Err(error),
        };
        self.note_db(result.map(ExecResult::from).map_err(query_error))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => connection.execute(AssertSqlSafe(sql.to_owned())).await,
            Err(error) => Err(error),
        };
        self.note_db(result.map(ExecResult::from).map_err(query_error))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => self.bind(&statement).fetch_optional(connection).await,
            Err(error) => Err(error),
        };
        self.note_db(
            result
                .map(|row| row.map(QueryResult::from))
                .map_err(query_error),
        )
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut open = self.open.lock().await;
        let result = match open.begun().await {
            Ok(connection) => self.bind(&statement).fetch_all(connection).await,
            Err(error) => Err(error),
        };
        let rows = result.map(|rows| rows.into_iter().map(QueryResult::from).collect());
        self.note_db(rows.map_err(query_error))
    }
}
