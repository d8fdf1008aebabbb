//! Taking readings: a bounded queue, one writer, and one transaction for all that waits.
//!
//! ```text
//! Ingest::submit ──► queue ──► writer: gathers what waits ──► commit: ONE transaction
//!       ▲                                                      1 resolve: keys → devices, metrics → series
//!       └── answered only after COMMIT ◄────────────────────── 2 insert:  samples
//!                                                              3 judge:   rules, alerts
//! ```

mod commit;
mod insert;
mod judge;
mod queue;
mod resolve;
mod writer;

pub use queue::{Ingest, IngestSettings};

use crate::StoreError;
use domain::{
    Timestamp,
    device::DeviceKeyHash,
    reading::{Outcome, Reading},
};

/// The readings of one request.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Hash of the key that the device sent.
    pub key: DeviceKeyHash,
    /// Its readings, each of them valid. There may be none, to ask only whether the key is good.
    pub readings: Vec<Reading>,
    /// When the request arrived.
    pub received_at: Timestamp,
}

/// What became of a request: an outcome for each of its readings, in order, or why there is none.
pub type Verdict = Result<Vec<Outcome>, IngestError>;

/// Why nothing of a request was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// No device has this key.
    #[error("no device has this key")]
    UnknownKey,
    /// The device's owner has disabled it.
    #[error("the device is disabled")]
    Disabled,
    /// More readings wait than may; try again in a moment.
    #[error("the ingest queue is full")]
    Overloaded,
    /// The service is going down.
    #[error("the ingest writer has stopped")]
    Stopped,
    /// The database failed. Whether something was stored may be unknown; trying again is harmless.
    #[error(transparent)]
    Store(#[from] StoreError),
}
