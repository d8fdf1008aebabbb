//! How many readings may be taken in which time: two quotas that hold together, with time as an
//! argument.

mod bucket;

pub use bucket::{Bucket, MAX_RATE, Quota};

/// Whose quota it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// That of each device.
    Device,
    /// That of each owner, over all devices.
    Owner,
}

impl Policy {
    /// The word that the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Owner => "owner",
        }
    }
}

/// Whole readings that may still be taken at once, of each quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Of the device's quota.
    pub device: u64,
    /// Of the owner's.
    pub owner: u64,
}

/// A request was more than a quota allows now; neither bucket was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverQuota {
    /// The quota that takes longer to allow it.
    pub policy: Policy,
    /// Nanoseconds, at least 1, after which both quotas allow it, if nobody else takes meanwhile.
    pub wait: u64,
    /// What may still be taken now.
    pub left: Left,
}

/// The quotas that hold together for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Of each device.
    pub device: Quota,
    /// Of each owner, over all devices.
    pub owner: Quota,
}

impl Quotas {
    /// Takes so many readings out of both buckets, or nothing out of either.
    ///
    /// A request without readings costs one. `now` is in nanoseconds since any moment, the same for
    /// all buckets.
    pub fn take(
        &self,
        device: &mut Bucket,
        owner: &mut Bucket,
        readings: u32,
        now: u64,
    ) -> Result<Left, OverQuota> {
        let cost = u64::from(readings.max(1));
        let waits = [
            device.wait(self.device, cost, now),
            owner.wait(self.owner, cost, now),
        ];
        if waits == [0, 0] {
            device.charge(self.device, cost, now);
            owner.charge(self.owner, cost, now);
            return Ok(self.left(*device, *owner, now));
        }
        let [of_device, of_owner] = waits;
        Err(OverQuota {
            policy: if of_device >= of_owner {
                Policy::Device
            } else {
                Policy::Owner
            },
            wait: of_device.max(of_owner),
            left: self.left(*device, *owner, now),
        })
    }

    fn left(&self, device: Bucket, owner: Bucket, now: u64) -> Left {
        Left {
            device: device.left(self.device, now),
            owner: owner.left(self.owner, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{bucket::BILLION, *};
    use proptest::prelude::*;

    const ROOMY: Quota = Quota {
        per_second: MAX_RATE as u64,
        burst: 1_000_000_000,
    };

    /// Quotas of which only the device's is ever in the way.
    fn of_device(per_second: u64, burst: u64) -> Quotas {
        let device = Quota { per_second, burst };
        Quotas {
            device,
            owner: ROOMY,
        }
    }

    #[test]
    fn the_burst_is_spent_and_earned_back_at_the_rate() {
        let quotas = of_device(1_000, 60_000);
        let (mut device, mut owner) = (Bucket::default(), Bucket::default());
        let mut take = |readings, now| quotas.take(&mut device, &mut owner, readings, now);
        for left in [50_000, 40_000, 30_000, 20_000, 10_000, 0] {
            assert_eq!(take(10_000, 5).unwrap().device, left);
        }
        let refused = take(2_500, 5).unwrap_err();
        assert_eq!((refused.policy, refused.left.device), (Policy::Device, 0));
        assert_eq!(refused.wait, 2_500_000_000);
        assert_eq!(take(2_500, 5 + refused.wait).unwrap().device, 0);
        assert_eq!(take(0, 10 * 60 * BILLION).unwrap().device, 59_999);
    }

    #[test]
    fn what_the_owner_may_not_the_device_is_not_charged_for() {
        let owner = Quota {
            per_second: 10,
            burst: 30,
        };
        let quotas = Quotas {
            device: Quota {
                per_second: 10,
                burst: 20,
            },
            owner,
        };
        let mut of_owner = Bucket::default();
        let (mut one, mut other) = (Bucket::default(), Bucket::default());
        quotas.take(&mut one, &mut of_owner, 20, 0).unwrap();
        let before = (other, of_owner);
        let refused = quotas.take(&mut other, &mut of_owner, 15, 0).unwrap_err();
        assert_eq!(refused.policy, Policy::Owner);
        assert_eq!(refused.wait, 500_000_000);
        assert_eq!((other, of_owner), before);
        let refused = quotas.take(&mut one, &mut of_owner, 10, 0).unwrap_err();
        assert_eq!(refused.policy, Policy::Device);
        assert_eq!(
            quotas.take(&mut other, &mut of_owner, 10, 0).unwrap().owner,
            0
        );
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_a_burst_in_any_window(
            rate in 1_u64..2_000,
            burst in 1_u64..500,
            steps in prop::collection::vec((0_u64..300_000_000, 0_u32..400), 1..60),
        ) {
            let quotas = of_device(rate, burst);
            let (mut device, mut owner) = (Bucket::default(), Bucket::default());
            let (mut now, mut taken) = (0, Vec::new());
            for (pause, readings) in steps {
                now += pause;
                if quotas.take(&mut device, &mut owner, readings, now).is_ok() {
                    taken.push((now, u64::from(readings.max(1))));
                }
            }
            for (first, (start, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (end, readings) in &taken[first..] {
                    sum += readings * BILLION;
                    prop_assert!(sum <= burst * BILLION + rate * (end - start));
                }
            }
        }

        #[test]
        fn what_is_refused_passes_after_the_wait_and_not_a_nanosecond_before(
            rate in 1_u64..3_000_000,
            burst in 1_u64..100_000,
            spent in 0_u32..100_000,
            readings in 1_u32..100_000,
            pause in 0_u64..5_000_000_000,
            back in 0_u64..5_000_000_000,
        ) {
            let burst = burst.max(u64::from(readings)).max(u64::from(spent));
            let quotas = of_device(rate, burst);
            let (mut device, mut owner) = (Bucket::default(), Bucket::default());
            let start = 10 * BILLION;
            quotas.take(&mut device, &mut owner, spent, start).unwrap();
            let now = start + pause - back;
            let mut take = |now| quotas.take(&mut device, &mut owner, readings, now);
            if let Err(refused) = take(now) {
                prop_assert!(refused.wait > 0);
                prop_assert!(refused.left.device < u64::from(readings));
                prop_assert!(take(now + refused.wait - 1).is_err());
                prop_assert!(take(now + refused.wait).is_ok());
            }
        }

        #[test]
        fn a_clock_that_jumps_about_allows_no_more_than_the_time_it_spans(
            rate in 1_u64..2_000,
            burst in 1_u64..500,
            times in prop::collection::vec((0_u64..5_000_000_000, 1_u32..100), 1..100),
        ) {
            let quotas = of_device(rate, burst);
            let (mut device, mut owner) = (Bucket::default(), Bucket::default());
            let mut sum = 0;
            for (now, readings) in &times {
                if quotas.take(&mut device, &mut owner, *readings, *now).is_ok() {
                    sum += u64::from(*readings) * BILLION;
                }
            }
            let latest = times.iter().map(|(now, _)| *now).max().unwrap_or(0);
            prop_assert!(sum <= burst * BILLION + rate * latest);
        }


        #[test]
        fn never_overflows(rate: u32, readings: u32, times: [u64; 4]) {
            let quotas = Quotas { device: Quota::new(rate), owner: Quota::new(rate) };
            let (mut device, mut owner) = (Bucket::default(), Bucket::default());
            for now in times {
                let _ = quotas.take(&mut device, &mut owner, readings, now);
            }
        }
    }
}
