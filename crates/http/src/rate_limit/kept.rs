//! The buckets themselves, behind one lock that is held for a fraction of a microsecond.

use super::fields;
use actix_web::http::header::HeaderValue;
use domain::{
    device::DeviceId,
    rate_limit::{Bucket, Left, OverQuota, Quota, Quotas},
    user::UserId,
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Room that a map of buckets keeps however few there are.
const ROOM: usize = 1_024;

/// The quotas of this instance and what was taken of them.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) quotas: Quotas,
    /// The same in every answer, so written once.
    pub(super) policy: HeaderValue,
    began: Instant,
    buckets: Mutex<Buckets>,
}

/// What was taken and is not earned back; who has no bucket has a full one.
#[derive(Debug, Default)]
struct Buckets {
    devices: HashMap<DeviceId, Bucket>,
    owners: HashMap<UserId, Bucket>,
}

impl Kept {
    pub(super) fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            policy: fields::policy(quotas),
            began: Instant::now(),
            buckets: Mutex::default(),
        }
    }

    /// Nanoseconds since the beginning, which lasts for 584 years.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes readings out of both buckets at a time, or out of neither.
    pub(super) fn take(
        &self,
        device: DeviceId,
        owner: UserId,
        readings: u32,
        now: u64,
    ) -> Result<Left, OverQuota> {
        let buckets = &mut *self.buckets();
        let device = buckets.devices.entry(device).or_default();
        let owner = buckets.owners.entry(owner).or_default();
        self.quotas.take(device, owner, readings, now)
    }

    /// Forgets the buckets that are full at a time.
    pub(super) fn forget_full(&self, now: u64) {
        let buckets = &mut *self.buckets();
        sweep(&mut buckets.devices, self.quotas.device, now, "device");
        sweep(&mut buckets.owners, self.quotas.owner, now, "owner");
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sweep<K: Eq + Hash>(
    buckets: &mut HashMap<K, Bucket>,
    quota: Quota,
    now: u64,
    policy: &'static str,
) {
    buckets.retain(|_, bucket| !bucket.is_full(quota, now));
    // A map does not give back by itself what it needed once.
    let room = buckets.len() * 2 + ROOM;
    if buckets.capacity() > 2 * room {
        buckets.shrink_to(room);
    }
    let count = u32::try_from(buckets.len()).unwrap_or(u32::MAX);
    metrics::gauge!("readout_rate_limit_buckets", "policy" => policy).set(count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const SECOND: u64 = 1_000_000_000;

    fn device(n: u128) -> DeviceId {
        DeviceId(Uuid::from_u128(n))
    }

    fn owner(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn limits(device: u32, owner: u32) -> Kept {
        Kept::new(Quotas {
            device: Quota::new(device),
            owner: Quota::new(owner),
        })
    }

    #[test]
    fn devices_have_quotas_of_their_own_and_share_their_owner_s() {
        let kept = limits(1_000, 1_500);
        let take = |n, who, readings| kept.take(device(n), owner(who), readings, SECOND);
        for _ in 0..6 {
            take(1, 1, 10_000).unwrap();
        }
        assert!(take(1, 1, 1).is_err());
        for _ in 0..3 {
            take(2, 1, 10_000).unwrap();
        }
        let refused = take(3, 1, 10_000).unwrap_err();
        assert_eq!((refused.left.device, refused.left.owner), (60_000, 0));
        take(3, 2, 10_000).unwrap();
    }

    #[test]
    fn memory_is_taken_only_for_those_who_owe_something() {
        let kept = limits(1_000, 1_000_000);
        for n in 0..20_000 {
            kept.take(device(n), owner(n % 100), 1, 0).unwrap();
        }
        kept.take(device(7), owner(7), 10_000, 0).unwrap();
        kept.forget_full(SECOND);
        assert_eq!(
            kept.buckets().devices.keys().collect::<Vec<_>>(),
            [&device(7)]
        );
        assert!(kept.buckets().owners.is_empty());
        assert!(kept.buckets().devices.capacity() < 4 * ROOM);
        kept.forget_full(11 * SECOND);
        assert!(kept.buckets().devices.is_empty());
    }
}
