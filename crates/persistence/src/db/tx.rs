//! A transaction under way: the only thing that statements run on.

use crate::StoreError;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Executor, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Mutex, MutexGuard};

type Inner = sqlx::Transaction<'static, Postgres>;

/// A transaction under way.
///
/// Entities run on it through [`ConnectionTrait`]; statements are unnamed, since a named one
/// outlives the transaction on a server connection that the next transaction will not get.
#[derive(Debug)]
pub struct Tx {
    inner: Mutex<Inner>,
    failed: OnceLock<StoreError>,
    name: &'static str,
    persistent: bool,
}

impl Tx {
    pub(super) fn new(inner: Inner, name: &'static str, persistent: bool) -> Self {
        Self {
            inner: Mutex::new(inner),
            failed: OnceLock::new(),
            name,
            persistent,
        }
    }

    /// Commits, unless a statement failed before.
    ///
    /// PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and no error, so what
    /// was taken for stored would be gone.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let inner = self.inner.into_inner();
        if let Some(error) = self.failed.into_inner() {
            tracing::error!(
                transaction = self.name,
                "commit of a failed transaction refused"
            );
            let _ = inner.rollback().await;
            return Err(error);
        }
        inner.commit().await.map_err(StoreError::from)
    }

    /// Rolls back; a failure to do so is of no interest, since nothing was committed.
    pub(super) async fn rollback(self) {
        if let Err(error) = self.inner.into_inner().rollback().await {
            tracing::debug!(transaction = self.name, %error, "rollback failed");
        }
    }

    /// Runs a statement and answers how many rows it touched.
    pub(crate) async fn execute(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<u64, StoreError> {
        let query = query.persistent(self.persistent);
        let result = query.execute(&mut **self.lock().await).await;
        self.note(result).map(|done| done.rows_affected())
    }

    /// Runs a statement and collects its rows.
    pub(crate) async fn fetch_all(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let query = query.persistent(self.persistent);
        let result = query.fetch_all(&mut **self.lock().await).await;
        self.note(result)
    }

    /// Runs a statement and takes its first row, if there is one.
    pub(crate) async fn fetch_optional(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Option<PgRow>, StoreError> {
        let query = query.persistent(self.persistent);
        let result = query.fetch_optional(&mut **self.lock().await).await;
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

    async fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().await
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
        let result = self
            .bind(&statement)
            .execute(&mut **self.lock().await)
            .await;
        self.note_db(result.map(ExecResult::from).map_err(query_error))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let result = self
            .lock()
            .await
            .execute(AssertSqlSafe(sql.to_owned()))
            .await;
        self.note_db(result.map(ExecResult::from).map_err(query_error))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let result = self
            .bind(&statement)
            .fetch_optional(&mut **self.lock().await)
            .await;
        self.note_db(
            result
                .map(|row| row.map(QueryResult::from))
                .map_err(query_error),
        )
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let result = self
            .bind(&statement)
            .fetch_all(&mut **self.lock().await)
            .await;
        let rows = result.map(|rows| rows.into_iter().map(QueryResult::from).collect());
        self.note_db(rows.map_err(query_error))
    }
}
