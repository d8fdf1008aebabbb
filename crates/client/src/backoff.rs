//! How long to wait before something is tried again.

use std::time::Duration;

/// The first pause, which doubles up to the longest one.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses that grow from one failure to the next, and are never shorter than what the service asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
    /// Differs from one caller to the next, so that not all of them come back at once.
    jitter: u64,
}

impl Backoff {
    /// One of many that began together.
    pub(crate) fn of(number: u64) -> Self {
        Self {
            failures: 0,
            jitter: number,
        }
    }

    /// The pause after another failure.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        let pause = FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST);
        self.failures += 1;
        self.jitter = mix(self.jitter.wrapping_add(1));
        // Between half of it and all of it.
        let share = u32::try_from(self.jitter % 512).unwrap_or_default() + 512;
        let own = pause * share / 1024;
        retry_after.map_or(own, |asked| asked.max(own))
    }

    /// It went well.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// Scatters the bits of a number (the finaliser of splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_success() {
        let mut backoff = Backoff::of(7);
        assert!(backoff.failed(None) <= FIRST);
        for _ in 0..40 {
            assert!(backoff.failed(None) <= LONGEST);
        }
        assert!(backoff.failed(None) >= LONGEST / 2);
        backoff.succeeded();
        assert!(backoff.failed(None) <= FIRST);
    }

    #[test]
    fn the_service_is_heard() {
        let asked = Duration::from_secs(30);
        assert_eq!(Backoff::default().failed(Some(asked)), asked);
        assert!(Backoff::default().failed(Some(Duration::ZERO)) >= FIRST / 2);
    }
}
