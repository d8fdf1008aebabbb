//! What is counted while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that many count up.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of requests and readings.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were acknowledged, and stand in the ledger.
    pub(crate) requests: Count,
    /// Of them, those of which an earlier attempt had an unknown outcome.
    pub(crate) retried: Count,
    /// Readings in them.
    pub(crate) readings: Count,
    /// Readings that were answered as created, in all answers.
    pub(crate) created: Count,
    /// Readings that were answered as stored before, by an attempt whose outcome was unknown.
    pub(crate) stored_before: Count,
    /// Attempts whose connection broke, or that took too long.
    pub(crate) broken: Count,
    /// Attempts that were answered with 5xx.
    pub(crate) failed: Count,
    /// Requests that were sent once more after they were acknowledged.
    pub(crate) repeated: Count,
    /// Wrong: readings that were answered as created though they had been acknowledged before.
    pub(crate) created_again: Count,
    /// Wrong: readings that were answered as stored before at their very first attempt.
    pub(crate) stored_unsent: Count,
}
