//! Everything that can go wrong with the database, sorted once.

use sea_orm::{DbErr, RuntimeErr};
use std::{io, sync::Arc};

/// Why something could not be stored or read. Absence is not an error but an `Option`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A unique or exclusion constraint holds (SQLSTATE 23505), or a foreign key to someone who is gone (23503).
    #[error("conflict with {0:?}")]
    Conflict(Constraint),
    /// The database refused the data itself (classes 22 and 23): splitting a batch finds the culprit.
    #[error("the database refused the data")]
    Data(#[source] DbErr),
    /// Others changed the same rows, and trying again did not help (40001, 40P01, 55P03).
    #[error("the transaction lost against concurrent ones")]
    Contended(#[source] DbErr),
    /// The statement ran into its time limit (57014).
    #[error("the statement was cut by its time limit")]
    Timeout(#[source] DbErr),
    /// No connection, or the server is going away or starting. Whether anything was committed is
    /// unknown where it happened at COMMIT.
    #[error("the database is unavailable")]
    Unavailable(#[source] DbErr),
    /// A stored row does not make a valid value.
    #[error("stored {what} is not valid: {detail}")]
    Corrupt {
        /// Which column of which table.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Anything else: a defect of this program or of the schema.
    #[error("unexpected database error")]
    Unexpected(#[source] DbErr),
}

/// Constraints that callers tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// Another user has this e-mail address.
    UserEmail,
    /// The user whose this would be has been deleted meanwhile.
    UserGone,
    /// The rule has an open alert.
    OpenAlert,
    /// Any other, by its name.
    Other(String),
}

impl StoreError {
    /// A stored value that its domain type refuses.
    pub(crate) fn corrupt(what: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            what,
            detail: detail.to_string(),
        }
    }

    /// The answer to what was done could not be made, so that it is not to be done.
    pub(crate) fn unkept(error: &impl std::fmt::Display) -> Self {
        Self::Unexpected(DbErr::Custom(format!("no answer to keep: {error}")))
    }

    /// Something changed between two looks at it.
    pub(crate) fn came_between() -> Self {
        Self::Contended(DbErr::Custom("another transaction came between".to_owned()))
    }

    /// The connection was lost, and with it what became of a transaction.
    pub(crate) fn lost() -> Self {
        Self::Unavailable(DbErr::Custom("the outcome of a lost connection".to_owned()))
    }

    /// Whether the whole transaction may be tried again with hope.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Contended(_))
    }

    /// Whether the connection turned out to be closed from the other side.
    pub(crate) fn is_disconnect(&self) -> bool {
        match self {
            Self::Unavailable(
                DbErr::Query(RuntimeErr::SqlxError(cause))
                | DbErr::Exec(RuntimeErr::SqlxError(cause))
                | DbErr::Conn(RuntimeErr::SqlxError(cause)),
            ) => is_closed(cause),
            Self::Conflict(_)
            | Self::Data(_)
            | Self::Contended(_)
            | Self::Timeout(_)
            | Self::Unavailable(_)
            | Self::Corrupt { .. }
            | Self::Unexpected(_) => false,
        }
    }

    /// A short word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Data(_) => "data",
            Self::Contended(_) => "contended",
            Self::Timeout(_) => "timeout",
            Self::Unavailable(_) => "unavailable",
            Self::Corrupt { .. } => "corrupt",
            Self::Unexpected(_) => "unexpected",
        }
    }
}

/// Whether an error of the driver says that the connection had been closed from the other side.
pub(crate) fn is_closed(error: &sqlx::Error) -> bool {
    match error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
    {
        Some(state) => state.starts_with("57P") || state.starts_with("08"),
        // What was waited for in vain may come yet, and is not to be asked for again at once.
        None => matches!(error, sqlx::Error::Io(cause) if cause.kind() != io::ErrorKind::TimedOut),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))).into()
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "DbErr is non-exhaustive")]
        match &error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
                let cause = Arc::clone(cause);
                from_driver(error, &cause)
            }
            _ => Self::Unexpected(error),
        }
    }
}

/// Sorts an error of the driver. `sqlx::Error` is non-exhaustive too.
fn from_driver(error: DbErr, cause: &sqlx::Error) -> StoreError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sqlx::Error is non-exhaustive"
    )]
    match cause {
        sqlx::Error::Database(database) => {
            let state = database.code().unwrap_or_default().into_owned();
            let constraint = database.constraint().map(str::to_owned);
            from_sqlstate(error, &state, constraint)
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(error),
        _ => StoreError::Unexpected(error),
    }
}

/// Sorts by SQLSTATE (PostgreSQL's manual, appendix A), never by the text of a message.
fn from_sqlstate(error: DbErr, state: &str, constraint: Option<String>) -> StoreError {
    match state {
        "23505" | "23P01" => StoreError::Conflict(match constraint.as_deref() {
            Some("users_email_key") => Constraint::UserEmail,
            Some("alerts_one_open_per_rule") => Constraint::OpenAlert,
            _ => Constraint::Other(constraint.unwrap_or_default()),
        }),
        "23503" if constraint.as_deref().is_some_and(is_of_a_user) => {
            StoreError::Conflict(Constraint::UserGone)
        }
        "40001" | "40P01" | "55P03" => StoreError::Contended(error),
        // A row that belongs to a partition which was made while its insert waited: not a fault of
        // the row. A check that someone wrote has a name.
        "23514" if constraint.is_none() => StoreError::Contended(error),
        "57014" => StoreError::Timeout(error),
        // Read-only after a failover; server going away, starting or out of memory; and PgBouncer,
        // which reports all its troubles as 08P01.
        "25006" => StoreError::Unavailable(error),
        // A sequence has come to its end: no fault of the data.
        "2200H" => StoreError::Unexpected(error),
        _ => match state.get(..2) {
            Some("22" | "23") => StoreError::Data(error),
            Some("08" | "53" | "57" | "58") => StoreError::Unavailable(error),
            _ => StoreError::Unexpected(error),
        },
    }
}

/// Whether a foreign key, by its name, leads to the user that something belongs to.
fn is_of_a_user(constraint: &str) -> bool {
    constraint.ends_with("_owner_id_fkey") || constraint.ends_with("_user_id_fkey")
}
