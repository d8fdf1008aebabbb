//! Passwords, hashed with argon2id at the settings of OWASP: 19 MiB, two passes, one lane.

use crate::problem::{Problem, ProblemKind};
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
};
use tokio::sync::oneshot;

/// Most callers that wait for their turn; more than that would wait too long anyway.
const MAX_WAITING: usize = 128;

/// How nice hashing is to everything else on the machine (see `nice(2)`): as much as can be. It still gets its share
/// where there is nothing else to do, and a little of it where there is.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

type Job = Box<dyn FnOnce() + Send>;

/// Hashes and verifies passwords on a bounded number of threads.
///
/// Each hash takes 19 MiB and some 20 ms of a core, so their number is what an attacker would drive
/// up; ingest must not feel it. The threads stand back for all others.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    /// Verified in place of the hash of a user who does not exist, so that it takes the same time.
    decoy: Arc<str>,
}

impl Passwords {
    /// Hashes at most `threads` passwords at once.
    pub(crate) fn new(threads: usize) -> Result<Self, Problem> {
        let (sender, jobs) = mpsc::channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            let builder = thread::Builder::new().name(format!("password-{number}"));
            let started = builder.spawn(move || work(&jobs));
            started.map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
        }
        Ok(Self {
            jobs: sender,
            waiting: Arc::default(),
            decoy: hash(b"a password that nobody has").map(Arc::from)?,
        })
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(&self, password: Vec<u8>) -> Result<String, Problem> {
        let place = self.place()?;
        self.in_turn(place, move || hash(&password)).await?
    }

    /// A place in the line, before anything is looked up for it; refused where too many wait.
    pub(crate) fn place(&self) -> Result<Place, Problem> {
        Place::take(&self.waiting)
    }

    /// Whether the password has this hash; where there is none, no, after the same time.
    pub(crate) async fn verify(
        &self,
        place: Place,
        password: Vec<u8>,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.as_ref().to_owned());
        let verify = move || {
            Argon2::default()
                .verify_password(&password, hash.as_str())
                .is_ok()
        };
        let right = self.in_turn(place, verify).await?;
        Ok(right && exists)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        _place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        metrics::counter!("readout_passwords_hashed_total").increment(1);
        let (sender, result) = oneshot::channel();
        let job = move || {
            // Whoever asked may have gone.
            let _ = sender.send(work());
        };
        let internal = || Problem::new(ProblemKind::Internal);
        self.jobs.send(Box::new(job)).map_err(|_| internal())?;
        result.await.map_err(|error| internal().because(error))
    }
}

/// Does one job after the other, until nobody can send any more.
fn work(jobs: &Mutex<Receiver<Job>>) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "hashing passwords is as urgent as everything else here");
    }
    loop {
        // A job is taken under the lock, and done without it.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else {
            return;
        };
        // Whoever waits for one that panics is told so, since its sender goes with it.
        let _ = panic::catch_unwind(AssertUnwindSafe(job));
    }
}

/// A place in the bounded line of callers who wait.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

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
            let place = passwords.place().unwrap();
            let verified = passwords.verify(place, password.into(), hash).await;
            assert_eq!(verified.unwrap(), right);
        }
    }
}
