//! How fast readings may come: quotas of each device and each owner, kept in memory.
//!
//! Each instance counts for itself: what comes through several of them may add up to as many times
//! the quota, and a restart forgets what was taken.

mod fields;
mod kept;

pub(crate) use fields::{RateLimitFields, documented};

use crate::{problem::Problem, state::AppState};
use actix_web::{HttpResponse, http::header::HeaderValue};
use domain::{
    device::DeviceId,
    rate_limit::{Left, OverQuota, Quota, Quotas},
    user::UserId,
};
use kept::Kept;
use std::sync::Arc;

/// Sustained rates, each from 1 to 10,000,000 readings a second.
///
/// A minute's worth may come at once, and in any case 10,000 readings, the most that a request may
/// have.
#[derive(Debug, Clone, Copy)]
pub struct RateLimitSettings {
    /// Readings a second of each device.
    pub device_per_second: u32,
    /// Readings a second of each owner, over all devices.
    pub owner_per_second: u32,
}

/// The quotas of this instance and what was taken of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RateLimits(Option<Arc<Kept>>);

impl RateLimits {
    /// Quotas that nothing was taken of yet; without settings nothing is limited.
    #[must_use]
    pub fn new(settings: Option<RateLimitSettings>) -> Self {
        let kept = settings.map(|settings| {
            let quotas = Quotas {
                device: Quota::new(settings.device_per_second),
                owner: Quota::new(settings.owner_per_second),
            };
            Arc::new(Kept::new(quotas))
        });
        Self(kept)
    }

    /// Takes so many readings, or one for a request without any, out of both quotas; where either
    /// does not allow it, out of neither.
    ///
    /// What was taken stays taken, whatever becomes of the request. It costs a fraction of a
    /// microsecond, and no allocation but for a device or an owner that is new.
    pub(crate) fn take(
        &self,
        device: DeviceId,
        owner: UserId,
        readings: u32,
    ) -> Result<Allowance, RateLimited> {
        let Some(kept) = &self.0 else {
            return Ok(Allowance(None));
        };
        match kept.take(device, owner, readings, kept.now()) {
            Ok(left) => Ok(Allowance(Some((Arc::clone(kept), left)))),
            Err(over) => {
                metrics::counter!("readout_rate_limited_total", "policy" => over.policy.as_str())
                    .increment(1);
                Err(RateLimited {
                    over,
                    quotas: kept.quotas,
                    policy: kept.policy.clone(),
                })
            }
        }
    }

    /// Forgets everyone whose quota is whole again, so that memory is taken only for those who
    /// posted lately. To be called every few seconds.
    pub fn forget_full(&self) {
        if let Some(kept) = &self.0 {
            kept.forget_full(kept.now());
        }
    }
}

/// A request that both quotas allow.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Option<(Arc<Kept>, Left)>);

impl Allowance {
    /// What an answer says of the quotas; nothing where nothing is limited.
    pub(crate) fn fields(&self) -> Option<RateLimitFields> {
        let (kept, left) = self.0.as_ref()?;
        let policy = kept.policy.clone();
        Some(RateLimitFields::new(policy, kept.quotas, *left, None))
    }

    /// Adds what is left to an answer.
    pub(crate) fn mark(&self, response: &mut HttpResponse) {
        if let Some(fields) = self.fields() {
            fields.insert_into(response.headers_mut());
        }
    }
}

/// A request that a quota does not allow now.
#[derive(Debug, Clone)]
pub(crate) struct RateLimited {
    over: OverQuota,
    quotas: Quotas,
    policy: HeaderValue,
}

impl RateLimited {
    /// Whole seconds, at least 1, after which the very same request passes if no other takes
    /// meanwhile.
    pub(crate) fn retry_after(&self) -> u64 {
        self.over.wait.div_ceil(1_000_000_000).max(1)
    }

    /// What happened, for people.
    pub(crate) fn detail(&self) -> String {
        use domain::rate_limit::Policy::{Device, Owner};
        let (who, quota) = match self.over.policy {
            Device => ("This device", self.quotas.device),
            Owner => ("All devices of this owner together", self.quotas.owner),
        };
        format!(
            "{who} may post {} readings a second on average, and {} at once. Nothing was stored.",
            quota.per_second(),
            quota.burst()
        )
    }

    /// What the answer says of the quotas.
    pub(crate) fn fields(&self) -> RateLimitFields {
        let wait = Some(self.retry_after());
        RateLimitFields::new(self.policy.clone(), self.quotas, self.over.left, wait)
    }
}

/// Takes a request out of the quotas of its device and owner. One that is too much is answered with 429.
///
/// How `reading_create` calls it, as soon as it knows whose the key is and how many readings there
/// are, before any of them is handed to the writer:
///
/// ```text
/// let allowance = rate_limit::admit(&state, (device, owner), parsed.len())?;
/// let outcomes = submit(…).await?;
/// let mut response = receipt::batch(outcomes)?;
/// allowance.mark(&mut response);
/// Ok(response)
/// ```
pub(crate) fn admit(
    state: &AppState,
    (device, owner): (DeviceId, UserId),
    readings: usize,
) -> Result<Allowance, Problem> {
    let readings = u32::try_from(readings).unwrap_or(u32::MAX);
    state
        .rate_limits
        .take(device, owner, readings)
        .map_err(Problem::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const SECOND: u64 = 1_000_000_000;

    fn limits(device: u32, owner: u32) -> RateLimits {
        RateLimits::new(Some(RateLimitSettings {
            device_per_second: device,
            owner_per_second: owner,
        }))
    }

    fn device(n: u128) -> DeviceId {
        DeviceId(Uuid::from_u128(n))
    }

    fn owner(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_an_allowance_what_is_left() {
        let limits = limits(1_000, 20_000);
        let RateLimits(Some(kept)) = &limits else {
            panic!("limited")
        };
        let allowance = limits.take(device(1), owner(1), 0).unwrap();
        assert!(allowance.fields().is_some());
        for _ in 0..5 {
            limits.take(device(1), owner(1), 10_000).unwrap();
        }
        let limited = limits.take(device(1), owner(1), 20_000).unwrap_err();
        assert!((9..=11).contains(&limited.retry_after()), "{limited:?}");
        assert!(
            limited
                .detail()
                .starts_with("This device may post 1000 readings a second")
        );
        let later = kept.now() + limited.retry_after() * SECOND;
        kept.take(device(1), owner(1), 20_000, later).unwrap();
    }

    #[test]
    fn a_refusal_is_answered_with_429_and_all_that_the_client_needs() {
        let RateLimits(Some(kept)) = limits(1, 2) else {
            panic!("limited")
        };
        kept.take(device(1), owner(1), 10_000, 0).unwrap();
        let limited = RateLimited {
            over: kept.take(device(2), owner(1), 20, SECOND / 3).unwrap_err(),
            quotas: kept.quotas,
            policy: kept.policy.clone(),
        };
        let response = Problem::from(limited).respond("/api/v1/readings", "id");
        assert_eq!(response.status(), 429);
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("retry-after"), "10");
        assert_eq!(
            header("ratelimit"),
            r#""device";r=10000;t=10, "owner";r=0;t=1"#
        );
        let policy = r#""device";q=10000;w=10000, "owner";q=10000;w=5000"#;
        assert_eq!(header("ratelimit-policy"), policy);
    }

    #[test]
    fn without_settings_nothing_is_limited() {
        let limits = RateLimits::new(None);
        for _ in 0..100 {
            let allowance = limits.take(device(1), owner(1), u32::MAX).unwrap();
            assert!(allowance.fields().is_none());
        }
        limits.forget_full();
    }
}
