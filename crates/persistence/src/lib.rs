//! How things are kept: each noun's rows beside its queries, transactions, and the ingest writer.
//!
//! Nothing reaches the database but through [`Db`], whose every statement runs unnamed inside a
//! named transaction: the only use of `PostgreSQL` that is right behind a transaction pooler.

pub mod alert;
pub mod alert_rule;
pub mod api_key;
mod db;
pub mod device;
mod error;
pub mod health;
pub mod idempotency;
pub mod ingest;
pub mod mail;
pub mod partition;
pub mod reading;
pub mod rejection;
pub mod rollup;
pub mod session;
pub mod signing_key;
pub mod throttle;
pub mod user;
pub mod verification;
mod word;

pub use db::{Db, DbSettings, Tx};
pub use error::{Constraint, StoreError};
