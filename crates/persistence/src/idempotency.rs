//! Requests that are done once for their key, and the answers that are kept for those who ask again.
//!
//! The answer is kept by the very transaction that does the work. So whatever is lost on the way, a server, a
//! connection or an answer: either both are there or neither is, and asking again is harmless.

use crate::{Db, StoreError, Tx, session::OwnerId};
use domain::{
    Timestamp,
    alert_rule::AlertRule,
    api_key::{ApiKey, ApiKeyId},
    device::{Device, DeviceId},
    idempotency::{Attempt, KEPT_FOR},
};
use sqlx::Row;
use std::error::Error;

/// Most answers that one step erases.
const STEP: i64 = 1_000;

/// Why an answer could not be made ready to be kept.
pub type KeepError = Box<dyn Error + Send + Sync>;

/// Makes the answer to what was made, sealed.
pub type Keep<'a, T> = &'a dyn Fn(&T) -> Result<Vec<u8>, KeepError>;

/// Has something done once where its request has a key, and as often as it is asked for where it has none.
#[derive(Clone, Copy)]
pub struct Once<'a, T> {
    /// The request, if it has a key.
    pub attempt: Option<Attempt>,
    /// Makes its answer.
    pub keep: Keep<'a, T>,
    /// When the request was first begun, if it is done in parts that are to be forgotten together.
    pub since: Option<Timestamp>,
}

impl<T> std::fmt::Debug for Once<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Once");
        debug
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl<T> Once<'_, T> {
    /// As often as it is asked for.
    #[must_use]
    pub fn freely() -> Self {
        Self {
            attempt: None,
            keep: &|_| Ok(Vec::new()),
            since: None,
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome<R> {
    /// It was done now.
    Done(R),
    /// It was done before.
    Kept(Kept),
    /// It is being done by someone else right now.
    InFlight,
    /// Its key stands for another request.
    Mismatch,
}

impl<R> Outcome<R> {
    /// What was done, if it was done now.
    pub fn done(self) -> Option<R> {
        match self {
            Self::Done(result) => Some(result),
            Self::Kept(_) | Self::InFlight | Self::Mismatch => None,
        }
    }
}

/// An answer that was kept.
#[derive(Debug)]
pub struct Kept {
    /// The answer as it was sealed.
    pub sealed: Vec<u8>,
    /// When its request was begun.
    pub since: Timestamp,
}

/// What work comes to.
pub(crate) trait Work<T> {
    /// What was made, if anything was.
    fn made(&self) -> Option<&T>;
}

impl<T: Made> Work<T> for T {
    fn made(&self) -> Option<&T> {
        Some(self)
    }
}

impl<T: Made, E> Work<T> for Option<Result<T, E>> {
    fn made(&self) -> Option<&T> {
        self.as_ref()?.as_ref().ok()
    }
}

impl<T: Made, E> Work<T> for Result<T, E> {
    fn made(&self) -> Option<&T> {
        self.as_ref().ok()
    }
}

/// What may be made once for a key.
pub(crate) trait Made {
    /// What the answer is erased with, if it is of one thing.
    fn about(&self) -> About;
}

/// A thing that an answer is of, and that it is good for nothing without.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About {
    Nothing,
    Device(DeviceId),
    ApiKey(ApiKeyId),
}

impl Made for Device {
    fn about(&self) -> About {
        About::Device(self.id)
    }
}

impl Made for ApiKey {
    fn about(&self) -> About {
        About::ApiKey(self.id)
    }
}

impl Made for AlertRule {
    fn about(&self) -> About {
        let device = self.target.device();
        device.map_or(About::Nothing, About::Device)
    }
}

/// Of several the answer is kept though one of them is deleted, since all would be made again without it.
impl Made for Vec<Device> {
    fn about(&self) -> About {
        About::Nothing
    }
}

impl<T> Once<'_, T> {
    /// Does the work in one transaction, and keeps the answer to what it made in the same one. Nothing is kept
    /// where nothing was made, so that a refusal is no answer for a day.
    pub(crate) async fn run<R>(
        &self,
        (db, name): (&Db, &'static str),
        (owner, now): (OwnerId, Timestamp),
        work: impl AsyncFn(&Tx) -> Result<R, StoreError>,
    ) -> Result<Outcome<R>, StoreError>
    where
        T: Made,
        R: Work<T>,
    {
        db.transaction(name, async |tx| {
            if let Some(attempt) = &self.attempt
                && let Some(before) = claim(tx, owner, attempt, now).await?
            {
                return Ok(before);
            }
            let result = work(tx).await?;
            if let Some(attempt) = &self.attempt
                && let Some(made) = result.made()
            {
                let answer = (self.keep)(made).map_err(|error| StoreError::unkept(&error))?;
                let since = self.since.unwrap_or(now);
                insert(tx, (owner, attempt), (&answer, made.about()), since).await?;
            }
            Ok(Outcome::Done(result))
        })
        .await
    }
}

/// Takes a request on until this transaction ends, or answers why it is not to be done.
///
/// Who comes second does not wait, which would take a connection, but is told at once. A lock ends after what was
/// committed under it can be seen, and the answer is looked for after the lock is taken: so nothing is done twice.
async fn claim<R>(
    tx: &Tx,
    owner: OwnerId,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<Option<Outcome<R>>, StoreError> {
    let lock = sqlx::query("select pg_try_advisory_xact_lock($1)");
    if !tx.fetch_bool(lock.bind(lock_key(owner, attempt))).await? {
        return Ok(Some(Outcome::InFlight));
    }
    let find = sqlx::query(
        "select fingerprint, answer, kept_at from idempotency_keys
         where owner_id = $1 and key_hash = $2 and kept_at > $3",
    );
    let find = find.bind(owner.uuid()).bind(attempt.id().as_slice());
    let Some(row) = tx.fetch_optional(find.bind(now - KEPT_FOR)).await? else {
        return Ok(None);
    };
    let fingerprint: Vec<u8> = row.try_get(0)?;
    if fingerprint != attempt.fingerprint().as_bytes() {
        return Ok(Some(Outcome::Mismatch));
    }
    Ok(Some(Outcome::Kept(Kept {
        sealed: row.try_get(1)?,
        since: row.try_get(2)?,
    })))
}

/// Which lock a request is done under. Two requests that share one by chance only keep each other waiting.
fn lock_key(owner: OwnerId, attempt: &Attempt) -> i64 {
    let (_, owner) = owner.uuid().as_u64_pair();
    let first = attempt.id().first_chunk().copied().unwrap_or_default();
    (owner ^ u64::from_be_bytes(first)).cast_signed()
}

/// Keeps an answer, in the place of one that is too old.
async fn insert(
    tx: &Tx,
    (owner, attempt): (OwnerId, &Attempt),
    (answer, about): (&[u8], About),
    since: Timestamp,
) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "insert into idempotency_keys (owner_id, key_hash, fingerprint, answer, device_id, api_key_id, kept_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (owner_id, key_hash) do update set fingerprint = excluded.fingerprint,
             answer = excluded.answer, device_id = excluded.device_id, api_key_id = excluded.api_key_id,
             kept_at = excluded.kept_at",
    );
    let (device, api_key) = match about {
        About::Nothing => (None, None),
        About::Device(id) => (Some(id.0), None),
        About::ApiKey(id) => (None, Some(id.0)),
    };
    let fingerprint = attempt.fingerprint();
    let statement = statement
        .bind(owner.uuid())
        .bind(attempt.id().as_slice())
        .bind(fingerprint.as_bytes().as_slice())
        .bind(answer)
        .bind(device)
        .bind(api_key)
        .bind(since);
    tx.execute(statement).await.map(|_| ())
}

/// Erases the answers that are of a device which is being deleted: whoever asks again gets another one.
pub(crate) async fn delete_of(tx: &Tx, owner: OwnerId, device: DeviceId) -> Result<(), StoreError> {
    let statement =
        sqlx::query("delete from idempotency_keys where owner_id = $1 and device_id = $2");
    let statement = statement.bind(owner.uuid()).bind(device.0);
    tx.execute(statement).await.map(|_| ())
}

/// Erases answers that are too old, at most 1,000 at a time, and answers how many.
pub async fn delete_expired(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    db.transaction("idempotency.delete_expired", async |tx| {
        let statement = sqlx::query(
            "delete from idempotency_keys where (owner_id, key_hash) in (
                 select owner_id, key_hash from idempotency_keys where kept_at <= $1
                 order by kept_at limit $2 for update skip locked)",
        );
        tx.execute(statement.bind(now - KEPT_FOR).bind(STEP)).await
    })
    .await
}
