//! Rollups: readings summed up by windows of time.

mod aggregate;
mod fill;
mod interval;
mod limit;
mod range;
mod windows;
mod zone;

pub use aggregate::{Aggregate, Aggregates, AggregatesError};
pub use fill::{Fill, FillError};
pub use interval::{Interval, IntervalError, Unit};
pub use limit::{BucketLimit, BucketLimitError, MAX_BUCKETS};
pub use range::{OpenRange, Resolution, RollupError, RollupWindows};
pub use windows::Windows;
pub use zone::{Zone, ZoneError};

use crate::{Timestamp, decimal::WideDecimal, device::DeviceId, reading::Metric};
use chrono::TimeDelta;

/// A question for rollups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupQuery {
    /// The metrics to sum up.
    pub metrics: Vec<Metric>,
    /// The windows to sort them into.
    pub windows: RollupWindows,
    /// What to tell of each bucket.
    pub aggregates: Aggregates,
    /// What to tell of windows without readings.
    pub fill: Fill,
    /// Whether to find out how many readings there should be.
    pub completeness: bool,
    /// Whether all devices are summed up together.
    pub combine: bool,
}

/// One window of time with what was measured in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant outside.
    pub end: Timestamp,
    /// Number of readings.
    pub count: i64,
    /// What was asked for, in that order; nothing where it cannot be told.
    pub values: Vec<Option<WideDecimal>>,
}

/// The buckets of one metric of a device, or of all devices together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRollup {
    /// Where it was measured; nothing where devices are summed up together.
    pub device: Option<DeviceId>,
    /// What was measured.
    pub metric: Metric,
    /// The median time between two readings, where it was asked for and there are two.
    pub spacing: Option<TimeDelta>,
    /// Its buckets, oldest first.
    pub buckets: Vec<Bucket>,
}

/// How much time of a series may be read from its samples without much ado, over all series.
const LIGHT: TimeDelta = TimeDelta::days(14);

impl RollupQuery {
    /// Whether the answer takes a great many samples of so many devices, so that it is to wait for its turn.
    #[must_use]
    pub fn is_heavy(&self, devices: usize) -> bool {
        let fixed = self.windows.windows.fixed();
        let is_fine = fixed.is_some_and(|width| width < TimeDelta::hours(1));
        let reads_samples = is_fine || self.aggregates.percents().next().is_some();
        let series = self.metrics.len().saturating_mul(devices);
        let series = i64::try_from(series).unwrap_or(i64::MAX);
        let time = (self.windows.end - self.windows.start).num_seconds();
        reads_samples && time.saturating_mul(series) > LIGHT.num_seconds()
    }

    /// Gives windows without readings their buckets, if they are to have any.
    #[must_use]
    pub fn fill(&self, buckets: Vec<Bucket>) -> Vec<Bucket> {
        let values = self.aggregates.iter().count();
        self.fill
            .apply(buckets, self.windows.windows.iter(), values)
    }
}
