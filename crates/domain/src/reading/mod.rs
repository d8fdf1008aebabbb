//! Readings: a metric, an exact value, and the time of measurement.

mod error;
mod intake;
mod metric;
mod senml;
mod sweep;
mod time;

pub use error::ReadingError;
pub use intake::{Intake, RawReading};
pub use metric::{Metric, MetricError};
pub use senml::{SenmlBase, SenmlRecord};
pub use sweep::Sweep;
pub use time::{MAX_AHEAD, Precision, RawTime, TimeError, earliest};

use crate::{Timestamp, decimal::ExactDecimal};

/// Most readings that one request may carry.
pub const MAX_BATCH: usize = 10_000;

/// Most metrics that one device may have.
pub const MAX_METRICS: usize = 1_000;

/// A reading that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What was measured.
    pub metric: Metric,
    /// The value.
    pub value: ExactDecimal,
    /// When it was measured, in whole microseconds.
    pub recorded_at: Timestamp,
}

/// What became of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now.
    Created,
    /// Stored now, but measured too long before the newest reading for the rules that watch its metric.
    Late,
    /// Stored before, with this same value.
    Duplicate,
    /// Not stored.
    Rejected(ReadingError),
}

/// A half-open range of time: `start <= t < end`, each side open where it is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant inside.
    pub start: Option<Timestamp>,
    /// First instant outside.
    pub end: Option<Timestamp>,
}

/// The first and last time of measurement of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSummary {
    /// What was measured.
    pub metric: Metric,
    /// When it was first measured.
    pub first_recorded_at: Timestamp,
    /// When it was last measured.
    pub last_recorded_at: Timestamp,
}
