//! `RateLimit` and `RateLimit-Policy`, as draft-ietf-httpapi-ratelimit-headers-11 has them.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use domain::rate_limit::{Left, Policy, Quota, Quotas};
use utoipa::openapi::header::{Header, HeaderBuilder};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Both fields of an answer.
#[derive(Debug, Clone)]
pub(crate) struct RateLimitFields {
    policy: HeaderValue,
    limit: HeaderValue,
}

impl RateLimitFields {
    /// What is left of each quota, and for a refusal the seconds after which to try again.
    pub(super) fn new(policy: HeaderValue, quotas: Quotas, left: Left, wait: Option<u64>) -> Self {
        let item = |policy: Policy, quota: Quota, left: u64| {
            let seconds = window(quota, left).min(wait.unwrap_or(u64::MAX));
            format!("\"{}\";r={left};t={seconds}", policy.as_str())
        };
        let device = item(Policy::Device, quotas.device, left.device);
        let owner = item(Policy::Owner, quotas.owner, left.owner);
        Self {
            policy,
            limit: value(format!("{device}, {owner}")),
        }
    }

    /// Adds them to an answer.
    pub(crate) fn insert_into(self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.policy);
        headers.insert(RATE_LIMIT, self.limit);
    }
}

/// The field that tells the quotas themselves. A unit is a reading, or a request without any.
pub(super) fn policy(quotas: Quotas) -> HeaderValue {
    let item = |policy: Policy, quota: Quota| {
        format!(
            "\"{}\";q={};w={}",
            policy.as_str(),
            quota.burst(),
            quota.window()
        )
    };
    let device = item(Policy::Device, quotas.device);
    let owner = item(Policy::Owner, quotas.owner);
    value(format!("{device}, {owner}"))
}

/// Seconds over which to spread what is left, so that it is earned back as fast as it is spent.
///
/// The draft asks for a cap of the ratio of both (sections 6 and 8.5): a client that divides one by
/// the other finds the sustained rate, and not the burst.
fn window(quota: Quota, left: u64) -> u64 {
    left.div_ceil(quota.per_second()).max(1)
}

/// Words of ours and numbers are always a value.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Both fields as the document describes them.
pub(crate) fn documented() -> [(&'static str, Header); 2] {
    let header = |description: &str, example: &str| {
        HeaderBuilder::new()
            .description(Some(description))
            .example(Some(example.into()))
            .build()
    };
    let limit = header(
        "What is left of each quota: `r` readings, best spread over the next `t` seconds \
         (draft-ietf-httpapi-ratelimit-headers-11)",
        r#""device";r=58000;t=58, "owner";r=1190000;t=60"#,
    );
    let policy = header(
        "The quotas of this instance, in readings; a request without any counts as one: at most `q` at \
         once, earned back within `w` seconds. Absent where nothing is limited",
        r#""device";q=60000;w=60, "owner";q=1200000;w=60"#,
    );
    [("RateLimit", limit), ("RateLimit-Policy", policy)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(device: u32, owner: u32) -> Quotas {
        Quotas {
            device: Quota::new(device),
            owner: Quota::new(owner),
        }
    }

    fn limit(quotas: Quotas, device: u64, owner: u64, wait: Option<u64>) -> String {
        let left = Left { device, owner };
        let fields = RateLimitFields::new(policy(quotas), quotas, left, wait);
        fields.limit.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_policy_is_a_structured_field() {
        for (device, owner, expected) in [
            (
                1_000,
                20_000,
                r#""device";q=60000;w=60, "owner";q=1200000;w=60"#,
            ),
            (7, 1, r#""device";q=10000;w=1429, "owner";q=10000;w=10000"#),
        ] {
            assert_eq!(policy(quotas(device, owner)), expected);
        }
    }

    #[test]
    fn what_is_left_comes_with_the_time_to_spend_it() {
        let quotas = quotas(1_000, 20_000);
        for (device, owner, wait, expected) in [
            (
                60_000,
                1_200_000,
                None,
                r#""device";r=60000;t=60, "owner";r=1200000;t=60"#,
            ),
            (1_001, 0, None, r#""device";r=1001;t=2, "owner";r=0;t=1"#),
            // A refusal says when to try again, and no field speaks of a later time.
            (
                9_000,
                1_000_000,
                Some(3),
                r#""device";r=9000;t=3, "owner";r=1000000;t=3"#,
            ),
        ] {
            assert_eq!(limit(quotas, device, owner, wait), expected);
        }
    }
}
