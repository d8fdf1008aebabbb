//! The keys that sign and verify access tokens, as far as this instance knows.

use super::ring::{Ring, Stale};
use domain::{
    Timestamp,
    seal::{NONCE, SealError, Sealer},
    signing_key::{LEAD, NewSigningKey, SigningKey, SigningKeyId},
};
use persistence::{Db, StoreError, signing_key as store};
use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How long no other question is asked for the sake of a token whose key is not known: whoever makes
/// names of keys up costs the database one query in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// The keys are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeysError {
    /// The database did not do what it was asked for.
    #[error("the signing keys cannot be read")]
    Store(#[from] StoreError),
    /// A key is there, and was sealed under another secret.
    #[error(
        "AUTH_SECRET does not open the signing key {0} of the database, and neither does AUTH_SECRET_PREVIOUS. \
         Set AUTH_SECRET to the secret that the other instances have, or had; if it was changed, give the one \
         before it as AUTH_SECRET_PREVIOUS; if that one is lost, run `readout keys rotate --at-once`, which \
         replaces the keys: every access token is refused then, and clients refresh theirs"
    )]
    Sealed(SigningKeyId),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A key could not be sealed.
    #[error("a signing key {0}")]
    Seal(#[from] SealError),
}

/// The keys of all instances, read again every few seconds and whenever a token names one that is
/// not known here. Cheap to clone.
#[derive(Clone)]
pub struct SigningKeys {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    sealer: Sealer,
    ring: RwLock<Arc<Ring>>,
    /// When they were last asked for. Whoever holds it asks.
    asked: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// Knows none before [`SigningKeys::refresh`].
    #[must_use]
    pub fn new(db: &Db, sealer: Sealer) -> Self {
        let inner = Inner {
            db: db.clone(),
            sealer,
            ring: RwLock::default(),
            asked: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether they were ever read.
    #[must_use]
    pub fn are_known(&self) -> bool {
        !self.ring().is_empty()
    }

    /// Reads them; makes the first one where there is none, seals again what the previous secret
    /// opened, and removes what nobody needs any more.
    ///
    /// The first time each must open, so that a wrong secret is told at once. Later on one that does
    /// not is only warned of: this instance goes on with those that it has opened.
    pub async fn refresh(&self, now: Timestamp) -> Result<(), SigningKeysError> {
        let mut asked = self.inner.asked.lock().await;
        let outcome = self.read(now).await;
        *asked = Some(Instant::now());
        outcome
    }

    /// Reads them, unless that was just done or tried: whoever waited meanwhile asks no more.
    pub(crate) async fn refresh_for_unknown(&self, now: Timestamp) -> Result<(), SigningKeysError> {
        let mut asked = self.inner.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < PAUSE) {
            return Ok(());
        }
        let outcome = self.read(now).await;
        *asked = Some(Instant::now());
        outcome
    }

    /// Makes a key that is published now and signs when everyone knows it. Answers all keys.
    pub async fn rotate(&self, now: Timestamp) -> Result<Vec<SigningKey>, SigningKeysError> {
        // Whoever has the wrong secret would make a key that no instance can open.
        self.refresh(now).await?;
        Ok(store::rotate(&self.inner.db, &self.new_key()?, now + LEAD, now).await?)
    }

    /// Makes a key that signs at once, and removes all others. Answers all keys.
    pub async fn replace(&self, now: Timestamp) -> Result<Vec<SigningKey>, SigningKeysError> {
        Ok(store::replace(&self.inner.db, &self.new_key()?, now).await?)
    }

    async fn read(&self, now: Timestamp) -> Result<(), SigningKeysError> {
        let Inner {
            db, sealer, ring, ..
        } = &*self.inner;
        let mut keys = store::list(db).await?;
        if keys.is_empty() {
            keys = store::insert_first(db, &self.new_key()?, now).await?;
        }
        for key in keys.iter().filter(|key| key.is_to_be_cleared(now)) {
            store::clear(db, key, now).await?;
        }
        let (read, stale) = self.ring().next(keys, sealer, now)?;
        for Stale { id, stored, key } in stale {
            let again = key.seal(sealer, random()?)?;
            store::reseal(db, &id, &stored, &again).await?;
            tracing::info!(key = %id, "signing key sealed under the new AUTH_SECRET");
        }
        // Nothing can panic while it is held.
        *ring
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(read);
        Ok(())
    }

    fn new_key(&self) -> Result<NewSigningKey, SigningKeysError> {
        Ok(NewSigningKey::new(
            &self.inner.sealer,
            random()?,
            random::<NONCE>()?,
        )?)
    }

    /// The keys as they were last read.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        let ring = self.inner.ring.read();
        Arc::clone(&ring.unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn random<const N: usize>() -> Result<[u8; N], SigningKeysError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SigningKeysError::Random)?;
    Ok(bytes)
}
