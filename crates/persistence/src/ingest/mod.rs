//! Taking readings: a bounded queue, one writer, and one transaction for all that waits.
//!
//! ```text
//! Ingest::submit ──► queue ──► writer: gathers what waits ──► commit: ONE transaction, two messages
//!       ▲                                                      directory/resolve: keys → devices, metrics → series
//!       │                                                      1 lock:  the devices, and may they post?
//!       │                                                      2 store: samples, each once
//!       └── answered only after COMMIT ◄────────────────────── 3 judge: rules, alerts (armed devices only)
//! ```

mod armed;
mod before;
mod commit;
mod copy;
mod directory;
mod follow_up;
mod group;
mod judge;
pub(crate) mod literal;
mod lock;
mod months;
mod queue;
mod quick;
mod resolve;
mod room;
mod stale;
mod store;
mod watch;
mod writer;

pub use queue::{Ingest, IngestCount, IngestSettings};
pub use room::Room;

use crate::StoreError;
use domain::{
    Timestamp,
    device::{DeviceId, DeviceKeyHash},
    reading::{Outcome, Reading},
    user::UserId,
};

/// The readings of one request.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Hash of the key that the device sent.
    pub key: DeviceKeyHash,
    /// Its readings, each of them valid. There may be none, to ask only whether the key is good.
    pub readings: Vec<Reading>,
    /// What is to happen with them.
    pub mode: Mode,
    /// When the request arrived.
    pub received_at: Timestamp,
}

/// What is to happen with the readings of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each is stored or refused on its own.
    #[default]
    Each,
    /// All are stored, or none where one of them is refused.
    Atomic,
    /// None is stored, and the answer is what it would be.
    DryRun,
}

impl Mode {
    /// Whether what was done in this mode is to stay.
    fn keeps(self, outcomes: &[Outcome]) -> bool {
        match self {
            Self::Each => true,
            Self::Atomic => !outcomes
                .iter()
                .any(|outcome| matches!(outcome, Outcome::Rejected(_))),
            Self::DryRun => false,
        }
    }
}

/// Who posts with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub owner: UserId,
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
    Disabled(DeviceId),
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
