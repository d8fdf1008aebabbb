//! Times, and waiting for what comes true later.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The present, in the microseconds that the service keeps.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is the outermost caller: nobody hands it a time"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// So many seconds before the test began, at a whole second.
///
/// Not before now: two times of one test keep their distance, however long the test takes.
pub(crate) fn ago(seconds: i64) -> DateTime<Utc> {
    static BEGINNING: LazyLock<DateTime<Utc>> = LazyLock::new(|| now().trunc_subsecs(0));
    *BEGINNING - TimeDelta::seconds(seconds)
}

/// A time in RFC 3339.
pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Asks again and again until the answer is yes, for at most so long.
pub(crate) async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(
            began.elapsed() < within,
            "in vain for {} s: {what}",
            within.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
