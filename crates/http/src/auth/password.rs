//! Passwords, hashed with argon2id at the settings of OWASP: 19 MiB, two passes, one lane.

use crate::problem::{Problem, ProblemKind};
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;

/// Most callers that wait for their turn; more than that would wait too long anyway.
const MAX_WAITING: usize = 128;

/// Hashes and verifies passwords on a bounded number of threads.
///
/// Each hash takes 19 MiB and some 20 ms of a core, so their number is what an attacker would drive
/// up; ingest must not feel it.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Verified in place of the hash of a user who does not exist, so that it takes the same time.
    decoy: Arc<str>,
}

impl Passwords {
    /// Hashes at most `threads` passwords at once.
    pub(crate) fn new(threads: usize) -> Result<Self, Problem> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(threads.max(1))),
            waiting: Arc::default(),
            decoy: hash(b"a password that nobody has").map(Arc::from)?,
        })
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(&self, password: Vec<u8>) -> Result<String, Problem> {
        self.in_turn(move || hash(&password)).await?
    }

    /// Whether the password has this hash; where there is none, no, after the same time.
    pub(crate) async fn verify(
        &self,
        password: Vec<u8>,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.as_ref().to_owned());
        let right = self
            .in_turn(move || {
                Argon2::default()
                    .verify_password(&password, hash.as_str())
                    .is_ok()
            })
            .await?;
        Ok(right && exists)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = Place::take(&self.waiting)?;
        metrics::counter!("readout_passwords_hashed_total").increment(1);
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| Problem::new(ProblemKind::Internal).because(error))
    }
}

/// A place in the bounded line of callers who wait.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Result<Self, Problem> {
        let place = Self(Arc::clone(waiting));
        if place.0.fetch_add(1, Ordering::Relaxed) < MAX_WAITING {
            Ok(place)
        } else {
            Err(Problem::new(ProblemKind::Overloaded))
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(password: &[u8]) -> Result<String, Problem> {
    // The defaults are argon2id, version 19, m = 19 MiB, t = 2, p = 1, and 16 random bytes of salt.
    let hash: PasswordHash = Argon2::default()
        .hash_password(password)
        .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_those_that_we_promise() {
        let hash = hash(b"secret").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
    }

    #[tokio::test]
    async fn a_password_is_right_or_wrong_and_nobody_is_wrong() {
        let passwords = Passwords::new(1).unwrap();
        let hash = passwords.hash(b"secret".to_vec()).await.unwrap();
        for (password, hash, right) in [
            ("secret", Some(hash.clone()), true),
            ("Secret", Some(hash), false),
            ("a password that nobody has", None, false),
        ] {
            assert_eq!(
                passwords.verify(password.into(), hash).await.unwrap(),
                right
            );
        }
    }
}
