//! What is known of devices and series from earlier groups, so that most groups need not ask.

use super::{Identity, Submission, watch::Watches, writer::QUICK_READINGS};
use domain::{
    alert::Measured,
    device::{DeviceId, DeviceKeyHash},
    reading::Metric,
    user::UserId,
};
use moka::{policy::EvictionPolicy, sync::Cache};
use std::hash::Hash;
use uuid::Uuid;

/// Most devices that are remembered; each takes some 200 bytes.
const DEVICES: u64 = 50_000;

/// Most series that are remembered; each takes some 200 bytes.
const SERIES: u64 = 100_000;

/// What was found out about a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) device: Uuid,
    pub(super) owner: Uuid,
    /// Whether it might post when it was last looked at.
    pub(super) enabled: bool,
    /// Whether it had armed rules then.
    pub(super) armed: bool,
}

/// A submission of which nothing needs to be looked up.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) device: Known,
    /// The series of each reading.
    pub(super) series: Vec<i32>,
    /// Where the device has armed rules for none of which the readings seem to change anything: the version of
    /// these rules.
    pub(super) quiet: Option<i64>,
}

/// Which device has which key, and which series stands for which metric of a device.
///
/// Neither ever changes, so nothing here can be wrong for a device that is there. Whether it is
/// there and may post, and whether what is remembered of its rules still holds, is asked again in every transaction.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    devices: Cache<DeviceKeyHash, Known>,
    series: Cache<(Uuid, Metric), i32>,
    pub(super) watches: Watches,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            devices: least_recently_used(DEVICES),
            series: least_recently_used(SERIES),
            watches: Watches::new(),
        }
    }

    /// Who posts with this key, if that is known and the device might post when last looked at.
    pub(super) fn identity(&self, key: &DeviceKeyHash) -> Option<Identity> {
        let known = self.enabled(key)?;
        Some(Identity {
            device: DeviceId(known.device),
            owner: UserId(known.owner),
        })
    }

    /// A device that might post when it was last looked at.
    pub(super) fn enabled(&self, key: &DeviceKeyHash) -> Option<Known> {
        self.devices.get(key).filter(|known| known.enabled)
    }

    /// Remembers what a device was found to be.
    pub(super) fn learn(&self, key: DeviceKeyHash, known: Known) {
        self.devices.insert(key, known);
    }

    /// Forgets a device that is not what it was thought to be.
    pub(super) fn forget(&self, key: &DeviceKeyHash) {
        self.devices.invalidate(key);
    }

    /// Remembers the series of a metric. Only for one that is committed.
    pub(super) fn learn_series(&self, device: Uuid, metric: &Metric, series: i32) {
        self.series.insert((device, metric.clone()), series);
    }

    /// The device and the series of each reading, if all of them are known.
    pub(super) fn resolve(&self, submission: &Submission) -> Option<Resolved> {
        let device = self.enabled(&submission.key)?;
        let mut series = Vec::with_capacity(submission.readings.len());
        let mut last: Option<(&Metric, i32)> = None;
        for reading in &submission.readings {
            let id = match last {
                // Devices mostly send runs of one metric.
                Some((metric, id)) if *metric == reading.metric => id,
                Some(_) | None => self.series.get(&(device.device, reading.metric.clone()))?,
            };
            last = Some((&reading.metric, id));
            series.push(id);
        }
        let quiet = self.quiet(device, submission, &series);
        Some(Resolved {
            device,
            series,
            quiet,
        })
    }

    fn quiet(&self, device: Known, submission: &Submission, series: &[i32]) -> Option<i64> {
        let readings = &submission.readings;
        if !device.armed || readings.len() > QUICK_READINGS {
            return None;
        }
        let measured = readings.iter().map(|it| Measured {
            at: it.recorded_at,
            value: it.value,
        });
        let readings = series.iter().copied().zip(measured);
        self.watches
            .quiet(device.device, readings, submission.received_at)
    }
}

/// A cache that takes in whatever is new; by default one that is rarely asked for is turned away.
fn least_recently_used<K, V>(most: u64) -> Cache<K, V>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(most)
        .eviction_policy(EvictionPolicy::lru())
        .build()
}
