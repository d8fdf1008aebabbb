//! What things are and when they change: pure rules without I/O, clock or async.
//!
//! A value of a type of this crate is always valid: parsing is the only way to make one.

pub mod alert;
pub mod alert_rule;
pub mod api_key;
pub mod decimal;
pub mod device;
pub mod duration;
pub mod hex;
mod id;
pub mod idempotency;
pub mod instant;
pub mod mail;
pub mod page;
pub mod password;
pub mod rate_limit;
pub mod reading;
pub mod rejection;
pub mod rollup;
pub mod seal;
pub mod session;
pub mod signing_key;
pub mod throttle;
mod token;
pub mod user;
pub mod verification;
pub mod version;

/// The unit of time everywhere: an instant in UTC, with the microseconds that `PostgreSQL` keeps.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
