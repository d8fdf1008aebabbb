//! A quota, and the exact bucket that keeps to it.

use crate::reading::MAX_BATCH;

/// Nanoseconds in a second, and what one reading counts in a bucket: so a bucket that leaks `n`
/// readings a second leaks `n` a nanosecond, and nothing is ever rounded.
pub(super) const BILLION: u64 = 1_000_000_000;

/// Seconds of the sustained rate that may be spent at once.
const BURST_SECONDS: u64 = 60;

/// Highest sustained rate that can be asked for, in readings a second.
pub const MAX_RATE: u32 = 10_000_000;

/// A sustained rate, and how far ahead of it one may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub(super) per_second: u64,
    pub(super) burst: u64,
}

impl Quota {
    /// So many readings a second, from 1 to [`MAX_RATE`]; what is outside is brought to the nearest.
    ///
    /// The burst is a minute's worth, and at least [`MAX_BATCH`], so that no request is too large
    /// to ever pass.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let per_second = u64::from(per_second.clamp(1, MAX_RATE));
        let whole_batch = u64::try_from(MAX_BATCH).unwrap_or(u64::MAX);
        Self {
            per_second,
            burst: (per_second * BURST_SECONDS).max(whole_batch),
        }
    }

    /// Readings a second, sustained.
    #[must_use]
    pub fn per_second(self) -> u64 {
        self.per_second
    }

    /// Most readings at once, after a silence of [`Quota::window`].
    #[must_use]
    pub fn burst(self) -> u64 {
        self.burst
    }

    /// Seconds in which the sustained rate comes to the burst, rounded up: at least 60.
    #[must_use]
    pub fn window(self) -> u64 {
        self.burst.div_ceil(self.per_second)
    }
}

/// What someone has taken and not yet earned back. A new bucket owes nothing.
///
/// This is GCRA, kept as a debt instead of a theoretical arrival time, since a nanosecond is no
/// whole number of readings at most rates and a debt needs no rounding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Billionths of a reading.
    debt: u64,
    /// Nanoseconds at which it was so.
    at: u64,
}

impl Bucket {
    /// The debt at a time, in billionths of a reading. A clock that steps back earns nothing.
    fn debt(self, quota: Quota, now: u64) -> u64 {
        let earned = now.saturating_sub(self.at).saturating_mul(quota.per_second);
        self.debt.saturating_sub(earned)
    }

    /// Whole readings that may be taken at once.
    pub(super) fn left(self, quota: Quota, now: u64) -> u64 {
        (quota.burst * BILLION).saturating_sub(self.debt(quota, now)) / BILLION
    }

    /// Nanoseconds to wait for so many readings; zero where they may be taken now.
    pub(super) fn wait(self, quota: Quota, readings: u64, now: u64) -> u64 {
        let wanted = self.debt(quota, now).saturating_add(readings * BILLION);
        let excess = wanted.saturating_sub(quota.burst * BILLION);
        if excess == 0 {
            return 0;
        }
        // Where the clock has stepped back, nothing is earned until it is where it was.
        self.at
            .saturating_sub(now)
            .saturating_add(excess.div_ceil(quota.per_second))
    }

    pub(super) fn charge(&mut self, quota: Quota, readings: u64, now: u64) {
        self.debt = self.debt(quota, now).saturating_add(readings * BILLION);
        self.at = self.at.max(now);
    }

    /// Whether nothing is owed, so that it may be forgotten: a new one is the same.
    #[must_use]
    pub fn is_full(self, quota: Quota, now: u64) -> bool {
        self.debt(quota, now) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_whole_batch_always_fits_the_burst() {
        for (rate, burst, window) in [
            (0, 10_000, 10_000),
            (1, 10_000, 10_000),
            (7, 10_000, 1_429),
            (166, 10_000, 61),
            (167, 10_020, 60),
            (1_000, 60_000, 60),
            (20_000, 1_200_000, 60),
            (u32::MAX, 600_000_000, 60),
        ] {
            let quota = Quota::new(rate);
            assert_eq!((quota.burst(), quota.window()), (burst, window), "{rate}");
            assert!(quota.burst() >= MAX_BATCH as u64);
        }
    }

    proptest! {
        #[test]
        fn a_full_bucket_may_be_forgotten(
            spent in 0_u64..60_000, readings in 0_u64..70_000, later in 0_u64..120_000_000_000,
        ) {
            let quota = Quota::new(1_000);
            let (mut used, fresh) = (Bucket::default(), Bucket::default());
            used.charge(quota, spent, 7);
            let now = 7 + later;
            prop_assert_eq!(used.is_full(quota, now), later >= spent * 1_000_000);
            if used.is_full(quota, now) {
                prop_assert_eq!(used.wait(quota, readings, now), fresh.wait(quota, readings, now));
                prop_assert_eq!(used.left(quota, now), fresh.left(quota, now));
            }
        }
    }
}
