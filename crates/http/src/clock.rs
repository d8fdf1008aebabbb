//! The one clock of the program.

use chrono::{DateTime, SubsecRound, Utc};
use domain::Timestamp;

/// Tells the time, in whole microseconds as the database keeps it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// The time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn now(self) -> Timestamp {
        let now: DateTime<Utc> = Utc::now();
        now.trunc_subsecs(6)
    }
}
