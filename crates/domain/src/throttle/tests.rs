//! Limits, and what is charged to them.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use uuid::Uuid;

fn keys() -> Sealer {
    Sealer::new(b"0123456789abcdef0123456789abcdef", None)
}

fn network(text: &str) -> Network {
    Network::of(text.parse().unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// Tries at each of these seconds, and answers which were allowed.
fn tries(limit: Limit, seconds: &[i64]) -> Vec<i64> {
    let mut full_at = at(-1_000_000);
    let allowed = seconds.iter().copied().filter(|second| {
        let now = at(*second);
        let wait = limit.wait(full_at, now);
        if wait.is_none() {
            full_at = full_at.max(now) + limit.every();
        }
        wait.is_none()
    });
    allowed.collect()
}

#[test]
fn ten_at_once_and_one_a_minute() {
    let mut asked = vec![0; 12];
    asked.extend([59, 60, 60, 119, 120, 1_000, 1_000]);
    let mut allowed = vec![0; 10];
    allowed.extend([60, 120, 1_000, 1_000]);
    assert_eq!(tries(ACCOUNT_FROM_NETWORK, &asked), allowed);
}

#[test]
fn the_wait_is_to_the_second() {
    let limit = ACCOUNT_FROM_NETWORK;
    let charges = Attempt::Password(UserId(Uuid::from_u128(1))).charges(&keys());
    let spent = |ago| {
        charges
            .iter()
            .map(move |it| (it, at(0) + limit.every() * 10 - ago))
    };
    let throttled = check(spent(TimeDelta::zero()), at(0)).unwrap_err();
    assert_eq!(throttled.seconds(), 60);
    let throttled = check(spent(TimeDelta::milliseconds(59_999)), at(0)).unwrap_err();
    assert_eq!(throttled.seconds(), 1);
    assert_eq!(check(spent(TimeDelta::seconds(60)), at(0)), Ok(()));
}

#[test]
fn the_account_is_to_blame_only_where_nothing_else_is() {
    let sign_in = Attempt::SignIn(Account::of("ada@example.com"), network("192.0.2.1"));
    let charges = sign_in.charges(&keys());
    let check_with = |spent: &[Scope]| {
        let full_at = |charge: &Charge| {
            let is_spent = spent.contains(&charge.scope);
            if is_spent {
                charge.limit.latest(at(0))
            } else {
                at(0)
            }
        };
        check(charges.iter().map(|it| (it, full_at(it))), at(0)).map_err(|it| it.scope)
    };
    assert_eq!(check_with(&[]), Ok(()));
    assert_eq!(check_with(&[Scope::Account]), Err(Scope::Account));
    assert_eq!(
        check_with(&[Scope::Account, Scope::Network]),
        Err(Scope::Network)
    );
    assert_eq!(
        check_with(&[Scope::Account, Scope::Visitor]),
        Err(Scope::Visitor)
    );
}

#[test]
fn an_account_is_the_same_however_it_is_typed_and_a_network_whatever_its_last_64_bits() {
    let keys = keys();
    let sign_in = |email, from| Attempt::SignIn(Account::of(email), network(from)).charges(&keys);
    let usual = sign_in("ada@example.com", "2001:db8::1");
    assert_eq!(sign_in(" ADA@example.com ", "2001:db8::ffff:1"), usual);
    assert_ne!(sign_in("ada@example.org", "2001:db8::1"), usual);
    assert_ne!(sign_in("ada@example.com", "2001:db8:0:1::1"), usual);
    assert_eq!(
        sign_in("no address", "::ffff:192.0.2.1"),
        sign_in(" No Address", "192.0.2.1")
    );
    assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
    assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    let (one, other) = (network("2001:db8::1"), network("2001:db8:0:1::1"));
    assert_ne!(one.familiar(&keys), other.familiar(&keys));
    assert_eq!(one.site(), other.site());
    assert_ne!(one.site(), network("2001:db8:1::1").site());
    assert_eq!(network("192.0.2.1").site(), None);
}

#[test]
fn nothing_is_charged_to_the_limit_of_another() {
    let (ada, from) = (Account::of("ada@example.com"), network("2001:db8::1"));
    let attempts = [
        Attempt::SignUp(ada.clone(), from),
        Attempt::SignIn(ada.clone(), from),
        Attempt::RequestReset(ada, from),
        Attempt::MailedToken(from),
        Attempt::Password(UserId(Uuid::from_u128(1))),
    ];
    let charges: Vec<_> = attempts.iter().flat_map(|it| it.charges(&keys())).collect();
    let different: HashSet<_> = charges.iter().map(|it| it.key).collect();
    assert_eq!((charges.len(), different.len()), (14, 14));
    let elsewhere = Sealer::new(b"another secret of at least 32 byt", None);
    let others = attempts.iter().flat_map(|it| it.charges(&elsewhere));
    assert!(others.into_iter().all(|it| !different.contains(&it.key)));
    assert_eq!(
        format!("{:?}", attempts[1].visitor().unwrap().0),
        "Account(…)"
    );
}

proptest! {
    #[test]
    fn never_more_than_the_burst_and_the_rate_in_any_window(
        pauses in prop::collection::vec(0_i64..200, 1..80),
    ) {
        let mut now = 0;
        let asked: Vec<_> = pauses.iter().map(|pause| { now += pause; now }).collect();
        let allowed = tries(ACCOUNT_FROM_NETWORK, &asked);
        for (first, start) in allowed.iter().enumerate() {
            for (count, end) in (1_i64..).zip(&allowed[first..]) {
                prop_assert!(count <= 10 + (end - start) / 60);
            }
        }
    }
}
