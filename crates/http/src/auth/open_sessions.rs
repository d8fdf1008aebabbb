//! Which sessions are open, as far as this instance knows.

use super::token::Proof;
use domain::{Timestamp, session::SessionId};
use moka::sync::Cache;
use persistence::{Db, StoreError, session, session::OwnerId};
use std::time::{Duration, Instant};

/// How long an instance takes a session for open without asking; a sign-out on another instance
/// takes effect within this time.
pub(super) const TRUST: Duration = Duration::from_secs(4);

/// How old an answer of the database may be to be trusted for [`TRUST`] from now.
pub(super) const PROMPT: Duration = Duration::from_millis(800);

/// How long a session that ended here is remembered: longer than any access token lives.
pub(super) const MEMORY: Duration = Duration::from_mins(20);

/// Most sessions that are remembered; more than that cost a query each.
pub(super) const CAPACITY: u64 = 100_000;

/// A small cache in front of the table of sessions.
#[derive(Debug, Clone)]
pub(crate) struct OpenSessions {
    open: Cache<SessionId, OwnerId>,
    ended: Cache<SessionId, ()>,
}

impl Default for OpenSessions {
    fn default() -> Self {
        Self {
            open: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(TRUST)
                .build(),
            ended: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(MEMORY)
                .build(),
        }
    }
}

impl OpenSessions {
    /// The owner that a token proves, if its session is open.
    pub(crate) async fn owner(
        &self,
        db: &Db,
        proof: Proof,
        now: Timestamp,
    ) -> Result<Option<OwnerId>, StoreError> {
        // What ended here stays ended, even if a query that began earlier says otherwise later.
        if self.ended.contains_key(&proof.session) {
            return Ok(None);
        }
        if let Some(owner) = self.open.get(&proof.session) {
            return Ok((owner.user_id() == proof.user).then_some(owner));
        }
        let asked = Instant::now();
        let owner = session::authenticate(db, proof.session, proof.user, now).await?;
        // What a slow answer says was true when it was asked for, which may be too long ago.
        if let Some(owner) = owner
            && asked.elapsed() < PROMPT
        {
            self.open.insert(proof.session, owner);
        }
        Ok(owner.filter(|_| !self.ended.contains_key(&proof.session)))
    }

    /// Forgets sessions that have ended, at once.
    pub(crate) fn end(&self, sessions: impl IntoIterator<Item = SessionId>) {
        for session in sessions {
            self.ended.insert(session, ());
            self.open.invalidate(&session);
        }
    }
}
