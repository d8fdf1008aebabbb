//! Counting in memory what devices are refused, and writing it down.

use crate::{Db, StoreError, Tx};
use domain::{
    Timestamp,
    device::DeviceId,
    rejection::{MAX_DETAIL, MAX_SAMPLE, tidy},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Most devices and codes that are remembered between two flushes: some 20 MiB at the very worst.
const MAX_NOTED: usize = 10_000;

/// Something that a device was refused.
#[derive(Clone, Copy)]
pub struct Refused<'a> {
    /// The stable word for the reason.
    pub code: &'static str,
    /// What the device was told; cut at [`MAX_DETAIL`] characters.
    pub detail: &'a dyn Display,
    /// What it sent, if that is known; cut at [`MAX_SAMPLE`] characters.
    pub sample: Option<&'a str>,
    /// How many times.
    pub count: u64,
}

impl std::fmt::Debug for Refused<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refused")
            .field("code", &self.code)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// What was refused since the last flush. Cheap to clone; all clones are the same collector.
///
/// What is noted and not yet flushed is lost with the process.
#[derive(Debug, Clone, Default)]
pub struct Rejections(Arc<Mutex<Noted>>);

/// By device and code.
type Noted = HashMap<(DeviceId, &'static str), Tally>;

/// What there is to say of one device and code.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tally {
    count: u64,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
    detail: String,
    sample: Option<String>,
}

impl Tally {
    /// Adds what was noted at another time. The later of both has the last word.
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_seen_at = self.first_seen_at.min(other.first_seen_at);
        if other.last_seen_at >= self.last_seen_at {
            self.last_seen_at = other.last_seen_at;
            self.detail = other.detail;
            self.sample = other.sample;
        }
    }
}

impl Rejections {
    /// Takes note; nothing waits for it. Texts are made fit to be shown (see [`tidy`]).
    ///
    /// Beyond 10,000 devices and codes between two flushes, those that are new are dropped, and
    /// counted in `readout_rejections_dropped_total`.
    pub fn note(&self, device: DeviceId, refused: Refused<'_>, now: Timestamp) {
        if refused.count == 0 {
            return;
        }
        let tally = Tally {
            count: refused.count,
            first_seen_at: now,
            last_seen_at: now,
            detail: tidy(&refused.detail.to_string(), MAX_DETAIL),
            sample: refused.sample.map(|sample| tidy(sample, MAX_SAMPLE)),
        };
        keep(&mut self.lock(), (device, refused.code), tally);
    }

    /// Writes what was noted since the last time, all in one statement.
    ///
    /// What belongs to devices that are gone is dropped. Where the database fails, everything is
    /// kept for the next time; where it fails at COMMIT, that may count some of it twice.
    pub async fn flush(&self, db: &Db) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut *self.lock());
        if noted.is_empty() {
            return Ok(());
        }
        let mut noted: Vec<_> = noted.into_iter().collect();
        noted.sort_unstable_by_key(|(key, _)| *key);
        let written = db
            .transaction("rejection.flush", async |tx| upsert(tx, &noted).await)
            .await;
        if written.is_err() {
            let mut newer = self.lock();
            for (key, tally) in noted {
                keep(&mut newer, key, tally);
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds to what is noted of a device and code, if there is room.
fn keep(noted: &mut Noted, key: (DeviceId, &'static str), tally: Tally) {
    let is_full = noted.len() >= MAX_NOTED;
    match noted.entry(key) {
        Entry::Occupied(mut entry) => entry.get_mut().add(tally),
        Entry::Vacant(entry) if !is_full => {
            entry.insert(tally);
        }
        Entry::Vacant(_) => {
            metrics::counter!("readout_rejections_dropped_total").increment(tally.count);
        }
    }
}

/// Adds to the rows of devices and codes, which must be in order.
///
/// Instances that write at the same moment lock devices, then rows, in that order, and so wait for
/// each other instead of deadlocking. The lock is the one that a foreign key takes: it lets ingest
/// work, and keeps a purge from removing the device meanwhile.
async fn upsert(tx: &Tx, noted: &[((DeviceId, &'static str), Tally)]) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "insert into rejections (device_id, code, count, first_seen_at, last_seen_at, detail, sample)
         select noted.* from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[],
                                    $5::timestamptz[], $6::text[], $7::text[])
             as noted (device_id, code, count, first_seen_at, last_seen_at, detail, sample)
         join devices on devices.id = noted.device_id and devices.deleted_at is null
         order by noted.device_id, noted.code
         for key share of devices
         on conflict (device_id, code) do update set
             count = rejections.count + excluded.count,
             first_seen_at = least(rejections.first_seen_at, excluded.first_seen_at),
             last_seen_at = greatest(rejections.last_seen_at, excluded.last_seen_at),
             detail = case when excluded.last_seen_at >= rejections.last_seen_at
                           then excluded.detail else rejections.detail end,
             sample = case when excluded.last_seen_at >= rejections.last_seen_at
                           then excluded.sample else rejections.sample end",
    );
    let column = |of: fn(&Tally) -> Timestamp| -> Vec<Timestamp> {
        noted.iter().map(|(_, it)| of(it)).collect()
    };
    let devices: Vec<Uuid> = noted.iter().map(|((device, _), _)| device.0).collect();
    let codes: Vec<&str> = noted.iter().map(|((_, code), _)| *code).collect();
    let counts = noted.iter().map(|(_, it)| i64::try_from(it.count));
    let counts: Vec<i64> = counts.map(|it| it.unwrap_or(i64::MAX)).collect();
    let details: Vec<&str> = noted.iter().map(|(_, it)| it.detail.as_str()).collect();
    let samples: Vec<Option<&str>> = noted.iter().map(|(_, it)| it.sample.as_deref()).collect();
    let statement = statement
        .bind(devices)
        .bind(codes)
        .bind(counts)
        .bind(column(|it| it.first_seen_at))
        .bind(column(|it| it.last_seen_at))
        .bind(details)
        .bind(samples);
    tx.execute(statement).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn device(n: usize) -> DeviceId {
        DeviceId(Uuid::from_u128(n as u128))
    }

    fn refused<'a>(detail: &'a &'a str, sample: Option<&'a str>, count: u64) -> Refused<'a> {
        let code = "invalid_value";
        Refused {
            code,
            detail,
            sample,
            count,
        }
    }

    #[test]
    fn the_same_reason_is_one_entry_with_the_last_words() {
        let rejections = Rejections::default();
        rejections.note(device(1), refused(&"one", Some("a"), 2), at(5));
        rejections
            .clone()
            .note(device(1), refused(&"two", None, 3), at(7));
        rejections.note(device(1), refused(&"late", Some("rdk_secret"), 4), at(6));
        rejections.note(device(2), refused(&"other", Some("rdk_secret"), 1), at(6));
        rejections.note(device(3), refused(&"nothing", None, 0), at(6));
        let noted = rejections.lock();
        assert_eq!(noted.len(), 2);
        let one = noted.get(&(device(1), "invalid_value")).unwrap();
        let times = (one.first_seen_at, one.last_seen_at);
        assert_eq!((one.count, times), (9, (at(5), at(7))));
        assert_eq!((one.detail.as_str(), &one.sample), ("two", &None));
        let other = noted.get(&(device(2), "invalid_value")).unwrap();
        assert_eq!(other.sample.as_deref(), Some("rdk_…"));
    }

    #[test]
    fn memory_is_bounded_and_what_is_known_still_counts() {
        let rejections = Rejections::default();
        for n in 0..=MAX_NOTED {
            rejections.note(device(n), refused(&"wrong", None, 1), at(0));
        }
        rejections.note(device(0), refused(&"wrong", None, 1), at(0));
        let noted = rejections.lock();
        assert_eq!(noted.len(), MAX_NOTED);
        assert_eq!(noted.get(&(device(0), "invalid_value")).unwrap().count, 2);
        assert!(!noted.contains_key(&(device(MAX_NOTED), "invalid_value")));
    }
}
