//! How far the rules of devices have come, remembered from group to group, so that most readings need not ask.
//!
//! Whatever changes a rule of a device, where it stands, or an alert of it, leaves the number of its transaction in
//! `devices.rules_version` (triggers do). The device's row is locked and read in every transaction in any case: as long as
//! the version is what it was, so is everything else that is remembered here.

use super::{
    armed::Armed,
    group::{Group, Row},
};
use domain::{
    Timestamp,
    alert::{self, Measured},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use uuid::Uuid;

/// Most rules and series that are remembered; each takes some 500 bytes.
const CAPACITY: u64 = 100_000;

/// What is remembered of the rules of devices. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Watches(Cache<Uuid, Arc<Watch>>);

/// What is remembered of the rules of a device.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) version: i64,
    pub(super) series: HashMap<i32, Arc<Followed>>,
}

/// A series, and the rules that judge it.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) rules: Vec<Armed>,
    /// Microseconds since 1970 of the newest reading that is known of; there may be newer ones.
    newest: AtomicI64,
}

/// What a transaction found out about the rules of a device.
#[derive(Debug)]
pub(super) struct Learned {
    /// The version that it found.
    pub(super) before: i64,
    /// The version that it left.
    pub(super) after: i64,
    /// Of each series that had new readings; nothing where it is to be asked for the next time.
    pub(super) series: HashMap<i32, Option<Followed>>,
}

impl Followed {
    pub(super) fn new(rules: Vec<Armed>, newest: Timestamp) -> Self {
        let newest = AtomicI64::new(newest.timestamp_micros());
        Self { rules, newest }
    }

    /// The same with one rule more, and newer readings, if there are.
    pub(super) fn with(mut self, rule: Armed, newest: Option<Timestamp>) -> Self {
        self.rules.push(rule);
        if let Some(newest) = newest {
            self.advance(newest.timestamp_micros());
        }
        self
    }

    /// The newest reading that is known of.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        Timestamp::from_timestamp_micros(self.newest.load(Ordering::Relaxed))
    }

    fn advance(&self, micros: i64) {
        self.newest.fetch_max(micros, Ordering::Relaxed);
    }

    /// Whether a reading changes nothing for any of the rules, as far as is known.
    fn is_quiet(&self, reading: Measured, now: Timestamp) -> bool {
        let unmoved = |rule: &Armed| {
            let stretches = rule.stretches.as_deref().unwrap_or_default();
            rule.silence.is_none()
                && rule.is_heard(now)
                && alert::is_unmoved(stretches, &rule.condition, reading)
        };
        reading.at.timestamp_micros() > self.newest.load(Ordering::Relaxed)
            && self.rules.iter().all(unmoved)
    }
}

impl Watches {
    pub(super) fn new() -> Self {
        let weigh = |_: &Uuid, watch: &Arc<Watch>| {
            let rules: usize = watch.series.values().map(|it| 1 + it.rules.len()).sum();
            u32::try_from(1 + rules).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(cache)
    }

    /// What is remembered of a device.
    pub(super) fn find(&self, device: Uuid) -> Option<Arc<Watch>> {
        self.0.get(&device)
    }

    /// The version of the rules of a device for none of which these readings change anything, if each of them is
    /// newer than what is stored.
    pub(super) fn quiet(
        &self,
        device: Uuid,
        readings: impl Iterator<Item = (i32, Measured)>,
        now: Timestamp,
    ) -> Option<i64> {
        let watch = self.find(device)?;
        let mut readings = readings.map(|(series, it)| Some((watch.series.get(&series)?, it)));
        let quiet = readings.all(|it| it.is_some_and(|(series, it)| series.is_quiet(it, now)));
        quiet.then_some(watch.version)
    }

    /// Notes that a reading was stored which changed nothing else.
    pub(super) fn advance(&self, group: &Group, row: &Row) {
        let device = group.series.get(&row.series_id).map(|it| it.device);
        let watch = device.and_then(|device| self.find(device));
        if let Some(series) = watch.as_ref().and_then(|it| it.series.get(&row.series_id)) {
            series.advance(row.recorded_at.timestamp_micros());
        }
    }

    /// Remembers what a transaction that has committed found out.
    ///
    /// Another one may have committed meanwhile and be remembered already: then the version does not fit the next
    /// time, and everything is asked for again.
    pub(super) fn learn(&self, learned: HashMap<Uuid, Learned>) {
        for (device, it) in learned {
            let known = self.find(device).filter(|known| known.version == it.before);
            let mut series = known.map(|known| known.series.clone()).unwrap_or_default();
            for (id, followed) in it.series {
                match followed {
                    Some(followed) => series.insert(id, Arc::new(followed)),
                    None => series.remove(&id),
                };
            }
            let version = it.after;
            self.0.insert(device, Arc::new(Watch { version, series }));
        }
    }

    /// Forgets everything, where the numbers of transactions may begin anew: after a failure of the database.
    pub(super) fn forget(&self) {
        self.0.invalidate_all();
    }
}
