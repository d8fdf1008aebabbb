//! What every handler may use.

use crate::{
    auth::{OpenApiKeys, OpenSessions, Passwords, SigningKeys, Tokens},
    clock::Clock,
    problem::Problem,
    rate_limit::RateLimits,
    rollup::Shared,
};
use domain::seal::{NONCE, Sealer};
use metrics_exporter_prometheus::PrometheusHandle;
use persistence::{Db, ingest::Ingest, rejection::Rejections};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Semaphore;

/// How users authenticate.
#[derive(Debug, Clone, Copy)]
pub struct AuthSettings {
    /// Passwords that are hashed at once, each of which takes 19 MiB and a core.
    pub hashing_threads: usize,
    /// Whether attempts at what can be guessed are throttled.
    pub throttling: bool,
    /// How many proxies of ours are in front, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: u8,
}

/// What the program has put together before it serves.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub db: Db,
    /// The way in for readings.
    pub ingest: Ingest,
    /// Counts what devices are refused. Whoever makes it flushes it, once more at the very end.
    pub rejections: Rejections,
    /// Sign access tokens. Whoever makes them has them refreshed every few seconds.
    pub signing_keys: SigningKeys,
    /// Seals what is stored and must be read again.
    pub sealer: Sealer,
    /// How fast readings may come.
    pub rate_limits: RateLimits,
    /// Figures for Prometheus.
    pub metrics: PrometheusHandle,
    /// Names of the migrations that the database must have.
    pub migrations: Vec<String>,
}

/// What every handler may use. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(crate) db: Db,
    pub(crate) ingest: Ingest,
    pub(crate) rejections: Rejections,
    pub(crate) rate_limits: RateLimits,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) passwords: Passwords,
    /// Seals what is stored and must be read again.
    pub(crate) sealer: Sealer,
    /// Whether attempts at what can be guessed are throttled.
    pub(crate) throttling: bool,
    pub(crate) trusted_proxies: u8,
    pub(crate) sessions: OpenSessions,
    pub(crate) api_keys: OpenApiKeys,
    pub(crate) clock: Clock,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) migrations: Arc<[String]>,
    /// Whose turn it is to read a page for a stream of readings.
    pub(crate) exports: Arc<Semaphore>,
    /// Questions for rollups that wait for their turn.
    pub(crate) rollups: Arc<Shared>,
    /// Whose turn it is to ask for a rollup that takes long.
    pub(crate) heavy_rollups: Arc<Semaphore>,
    stopping: Arc<AtomicBool>,
    migrated: Arc<AtomicBool>,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").finish_non_exhaustive()
    }
}

/// Passwords could not be prepared, for example for want of memory or randomness.
#[derive(Debug, thiserror::Error)]
#[error("password hashing does not work here: {0}")]
pub struct PasswordsError(String);

impl AppState {
    /// Puts together what handlers use.
    pub fn new(parts: Parts, auth: &AuthSettings) -> Result<Self, PasswordsError> {
        let rollups = Shared::new(parts.db.request_connections());
        Ok(Self {
            db: parts.db,
            ingest: parts.ingest,
            rejections: parts.rejections,
            rate_limits: parts.rate_limits,
            tokens: Arc::new(Tokens::new(parts.signing_keys)),
            passwords: Passwords::new(auth.hashing_threads)
                .map_err(|problem: Problem| PasswordsError(problem.to_string()))?,
            sealer: parts.sealer,
            throttling: auth.throttling,
            trusted_proxies: auth.trusted_proxies,
            sessions: OpenSessions::default(),
            api_keys: OpenApiKeys::default(),
            clock: Clock,
            metrics: parts.metrics,
            migrations: parts.migrations.into(),
            exports: Arc::new(Semaphore::new(1)),
            rollups,
            heavy_rollups: Arc::new(Semaphore::new(1)),
            stopping: Arc::default(),
            migrated: Arc::default(),
        })
    }

    /// Makes the service say that it is not ready, so that no new work is sent here.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the database was found to have every migration; none is ever taken back under a
    /// service that runs.
    pub(crate) fn is_migrated(&self) -> bool {
        self.migrated.load(Ordering::Relaxed)
    }

    pub(crate) fn found_migrated(&self) {
        self.migrated.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// 256 bits from the system's generator.
pub(crate) fn random_bits() -> Result<[u8; 32], Problem> {
    random()
}

/// As many as it takes to seal something once.
pub(crate) fn nonce() -> Result<[u8; NONCE], Problem> {
    random()
}

fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bits = [0; N];
    getrandom::fill(&mut bits)
        .map_err(|error| Problem::new(crate::problem::ProblemKind::Internal).because(error))?;
    Ok(bits)
}
