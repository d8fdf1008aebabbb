//! The clock of the tools.

use chrono::{SubsecRound, Utc};
use domain::Timestamp;

/// The time now, in whole microseconds as the service keeps it.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one clock of the tools"
)]
pub(crate) fn now() -> Timestamp {
    Utc::now().trunc_subsecs(6)
}
