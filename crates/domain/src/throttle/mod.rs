//! How often someone may try what can be guessed: passwords, addresses, tokens.
//!
//! Each attempt is charged before anything is looked up or hashed, and given back where it did not fail, so that
//! whoever knows the password is never slowed down by having used it. Three limits hold together:
//!
//! - **An account from one network**: ten at once, and one a minute. This is the one that people meet, and whoever
//!   guesses meets it on a network of their own: they lock out nobody but themselves.
//! - **An account from anywhere**: a hundred at once (the bound of NIST SP 800-63B, section 3.2.2), and one a minute,
//!   so that a thousand networks guess no faster than a few can. This one a stranger can exhaust, so it does not hold
//!   on networks that the user has signed in from before: nobody is locked out for ever, and sessions that are open are
//!   not touched at all.
//! - **A network**: a hundred at once, and ten a minute, over all accounts. That is room for an office behind
//!   one address. Networks of IPv6 that have been given to one site together have ten times as much.
//!
//! An address can be signed up with ten times an hour, so that nobody is flooded with mail by those who delete
//! themselves again.
//!
//! Whether there is such an account is never asked, so unknown ones are throttled the very same.

mod network;

pub use network::Network;

use crate::{
    Timestamp,
    seal::Sealer,
    user::{Email, UserId},
};
use chrono::TimeDelta;

/// Bytes of the key that a limit is kept under.
pub const KEY: usize = 32;

/// How many attempts may be made at once, and how soon each of them is earned back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    burst: i32,
    every: TimeDelta,
}

const ACCOUNT_FROM_NETWORK: Limit = Limit::new(10, 60);
const ACCOUNT: Limit = Limit::new(100, 60);
const NETWORK: Limit = Limit::new(100, 6);
const SITE: Limit = Limit::new(1_000, 1);
const SIGN_UPS_OF_ADDRESS: Limit = Limit::new(10, 360);

impl Limit {
    const fn new(burst: i32, seconds: i64) -> Self {
        Self {
            burst,
            every: TimeDelta::seconds(seconds),
        }
    }

    /// How soon one attempt is earned back.
    #[must_use]
    pub fn every(self) -> TimeDelta {
        self.every
    }

    /// The latest that everything may be earned back again, seen from now.
    #[must_use]
    pub fn latest(self, now: Timestamp) -> Timestamp {
        now + self.every * self.burst
    }

    /// How long to wait for one more attempt, where everything is earned back at `full_at`; none
    /// where it may be made now. This is GCRA, and `full_at` its theoretical arrival time.
    #[must_use]
    pub fn wait(self, full_at: Timestamp, now: Timestamp) -> Option<TimeDelta> {
        let excess = full_at.max(now) + self.every - self.latest(now);
        (excess > TimeDelta::zero()).then_some(excess)
    }
}

/// What a limit holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// An account from one network, or a user in a session.
    Visitor,
    /// A network.
    Network,
    /// All networks of a site.
    Site,
    /// An account from anywhere.
    Account,
}

impl Scope {
    /// The word that figures use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Network => "network",
            Self::Site => "site",
            Self::Account => "account",
        }
    }
}

/// Something that is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// To sign up.
    SignUp(Account, Network),
    /// To sign in.
    SignIn(Account, Network),
    /// To have a mail sent to reset a password with.
    RequestReset(Account, Network),
    /// To use a token that was mailed.
    MailedToken(Network),
    /// To prove the password once more in a session.
    Password(UserId),
}

/// Names an account by what is typed, whether there is one or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    /// By the address as it would be looked up, or by what is none.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let normal = Email::parse(text).map(String::from);
        Self(normal.unwrap_or_else(|_| text.trim().to_lowercase()))
    }

    /// The address, or what was typed in its place.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account(…)")
    }
}

impl Attempt {
    /// The word that figures use.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::SignUp(..) => "sign_up",
            Self::SignIn(..) => "sign_in",
            Self::RequestReset(..) => "request_reset",
            Self::MailedToken(_) => "mailed_token",
            Self::Password(_) => "password",
        }
    }

    /// The account that is tried, and where from.
    #[must_use]
    pub fn visitor(&self) -> Option<(&Account, Network)> {
        match self {
            Self::SignIn(account, network) | Self::RequestReset(account, network) => {
                Some((account, *network))
            }
            Self::SignUp(..) | Self::MailedToken(_) | Self::Password(_) => None,
        }
    }

    /// Whether it counts also where it succeeds, because it costs something or may annoy someone.
    #[must_use]
    pub fn always_counts(&self) -> bool {
        match self {
            // A password that is changed is told by mail.
            Self::SignUp(..) | Self::RequestReset(..) | Self::Password(_) => true,
            Self::SignIn(..) | Self::MailedToken(_) => false,
        }
    }

    /// What it is charged to; all or none of it.
    ///
    /// Keys are made with a secret, so that the database tells nothing of who tried what.
    #[must_use]
    pub fn charges(&self, sealer: &Sealer) -> Vec<Charge> {
        let charge = |scope: Scope, limit, subject: &[&[u8]]| {
            let mut parts = vec![
                self.as_str().as_bytes(),
                b" of ",
                scope.as_str().as_bytes(),
                b"\0",
            ];
            parts.extend(subject);
            let key = sealer.digest("throttle", &parts);
            Charge { scope, limit, key }
        };
        let of_network = |network: &Network| {
            let near = charge(Scope::Network, NETWORK, &[&network.octets()]);
            let site = network.site();
            let site = site.map(|octets| charge(Scope::Site, SITE, &[&octets]));
            std::iter::once(near).chain(site)
        };
        let mut charges = Vec::with_capacity(4);
        match self {
            Self::SignUp(account, network) => {
                charges.extend(of_network(network));
                let name = account.0.as_bytes();
                charges.push(charge(Scope::Account, SIGN_UPS_OF_ADDRESS, &[name]));
            }
            Self::MailedToken(network) => charges.extend(of_network(network)),
            Self::SignIn(account, network) | Self::RequestReset(account, network) => {
                let name = account.0.as_bytes();
                let octets = network.octets();
                let both = [octets.as_slice(), name];
                charges.push(charge(Scope::Visitor, ACCOUNT_FROM_NETWORK, &both));
                charges.extend(of_network(network));
                charges.push(charge(Scope::Account, ACCOUNT, &[name]));
            }
            Self::Password(user) => {
                let name = user.0.as_bytes();
                charges.push(charge(Scope::Visitor, ACCOUNT_FROM_NETWORK, &[name]));
            }
        }
        charges
    }
}

/// One limit that an attempt is charged to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// What the limit holds for.
    pub scope: Scope,
    /// The limit.
    pub limit: Limit,
    /// Under which it is kept.
    pub key: [u8; KEY],
}

/// An attempt was one too many. Nothing was charged for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// What the limit holds for; [`Scope::Account`] only where no other limit is in the way.
    pub scope: Scope,
    /// After which it may be made, if nobody else tries meanwhile.
    pub wait: TimeDelta,
}

impl Throttled {
    /// Whole seconds to wait, at least 1.
    #[must_use]
    pub fn seconds(self) -> u64 {
        let seconds = (self.wait + TimeDelta::nanoseconds(999_999_999)).num_seconds();
        u64::try_from(seconds).unwrap_or(0).max(1)
    }
}

/// Whether limits allow an attempt, where everything of each of them is earned back at `full_at`.
pub fn check<'a>(
    charges: impl IntoIterator<Item = (&'a Charge, Timestamp)>,
    now: Timestamp,
) -> Result<(), Throttled> {
    let refused = charges.into_iter().filter_map(|(charge, full_at)| {
        let wait = charge.limit.wait(full_at, now)?;
        Some((charge.scope, wait))
    });
    // Charges name the account last, so it is the scope where nothing else refused.
    let longest = refused.reduce(|(scope, a), (_, b)| (scope, a.max(b)));
    longest.map_or(Ok(()), |(scope, wait)| Err(Throttled { scope, wait }))
}

#[cfg(test)]
mod tests;
