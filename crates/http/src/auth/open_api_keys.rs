//! Which API keys are good, as far as this instance knows.

use super::open_sessions::{CAPACITY, MEMORY, PROMPT, TRUST};
use domain::{
    Timestamp,
    api_key::{ApiKeyHash, ApiKeyId},
    user::UserId,
};
use moka::sync::Cache;
use persistence::{Db, StoreError, api_key, api_key::Grant};
use std::{sync::Arc, time::Instant};

/// A small cache in front of the table of API keys.
#[derive(Debug, Clone)]
pub(crate) struct OpenApiKeys {
    good: Cache<ApiKeyHash, Arc<Grant>>,
    /// Keys that there are not, so that a program which does not hear that its key was revoked costs
    /// little. None of them can come to be: keys are made at random.
    unknown: Cache<ApiKeyHash, ()>,
    revoked: Cache<ApiKeyId, ()>,
    gone: Cache<UserId, ()>,
}

impl Default for OpenApiKeys {
    fn default() -> Self {
        Self {
            good: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(TRUST)
                .build(),
            unknown: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(TRUST)
                .build(),
            revoked: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(MEMORY)
                .build(),
            gone: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(MEMORY)
                .build(),
        }
    }
}

impl OpenApiKeys {
    /// What a key proves, if it is good.
    pub(crate) async fn grant(
        &self,
        db: &Db,
        hash: ApiKeyHash,
        now: Timestamp,
    ) -> Result<Option<Arc<Grant>>, StoreError> {
        if self.unknown.contains_key(&hash) {
            return Ok(None);
        }
        let grant = match self.good.get(&hash) {
            Some(grant) => Some(grant),
            None => self.ask(db, hash, now).await?,
        };
        Ok(grant.filter(|grant| self.is_good(grant, now)))
    }

    async fn ask(
        &self,
        db: &Db,
        hash: ApiKeyHash,
        now: Timestamp,
    ) -> Result<Option<Arc<Grant>>, StoreError> {
        let asked = Instant::now();
        let grant = api_key::authenticate(db, hash, now).await?.map(Arc::new);
        if grant.is_none() {
            self.unknown.insert(hash, ());
        }
        // What a slow answer says was true when it was asked for, which may be too long ago.
        if let Some(grant) = &grant
            && asked.elapsed() < PROMPT
        {
            self.good.insert(hash, Arc::clone(grant));
        }
        Ok(grant)
    }

    /// What was revoked here stays revoked, even if a query that began earlier says otherwise later.
    fn is_good(&self, grant: &Grant, now: Timestamp) -> bool {
        grant.expires_at.is_none_or(|at| at > now)
            && !self.revoked.contains_key(&grant.id)
            && !self.gone.contains_key(&grant.owner.user_id())
    }

    /// Forgets a key that was revoked, at once.
    pub(crate) fn revoke(&self, key: ApiKeyId) {
        self.revoked.insert(key, ());
    }

    /// Forgets all keys of a user who was deleted, at once.
    pub(crate) fn forget(&self, user: UserId) {
        self.gone.insert(user, ());
    }
}
