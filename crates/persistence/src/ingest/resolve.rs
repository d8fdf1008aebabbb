//! Step 1: which device each key belongs to, and which series each metric is.

use super::Submission;
use crate::{StoreError, Tx};
use domain::{Timestamp, decimal::ExactDecimal, device::DeviceKeyHash, reading::MAX_METRICS};
use sqlx::{Postgres, Row as _, postgres::PgArguments, query::Query};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A device is marked as seen at most so often, so that marking costs nothing.
const TOUCH_EVERY: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

/// A device whose row the transaction holds, so that it can be neither disabled nor deleted, nor
/// its rules edited, before this commits.
#[derive(Debug)]
pub(super) struct LockedDevice {
    pub(super) id: Uuid,
    pub(super) enabled: bool,
    online: bool,
    last_seen_at: Option<Timestamp>,
}

/// A reading on its way into `samples`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) series_id: i32,
    pub(super) recorded_at: Timestamp,
    pub(super) value: ExactDecimal,
}

/// A series that readings of the group belong to.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) device: Uuid,
    pub(super) metric: String,
}

/// The group, with every name replaced by what it stands for.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) devices: HashMap<DeviceKeyHash, LockedDevice>,
    pub(super) series: HashMap<i32, Series>,
    /// The readings of all submissions of known and enabled devices, in order; none for one whose
    /// metric would be one too many.
    pub(super) rows: Vec<Option<Row>>,
}

pub(super) async fn resolve(
    tx: &Tx,
    batch: &[&Submission],
    now: Timestamp,
) -> Result<Resolved, StoreError> {
    let devices = lock_devices(tx, batch).await?;
    let admitted: Vec<(Uuid, &Submission)> = batch
        .iter()
        .filter_map(|submission| {
            let device = devices
                .get(&submission.key)
                .filter(|device| device.enabled)?;
            Some((device.id, *submission))
        })
        .collect();
    let series = series(tx, &admitted, now).await?;
    let mut rows = Vec::with_capacity(admitted.iter().map(|(_, it)| it.readings.len()).sum());
    for (device, submission) in admitted {
        for reading in &submission.readings {
            let series_id = series.get(&(device, reading.metric.as_str()));
            rows.push(series_id.map(|series_id| Row {
                series_id: *series_id,
                recorded_at: reading.recorded_at,
                value: reading.value,
            }));
        }
    }
    let series = series
        .into_iter()
        .map(|((device, metric), id)| {
            (
                id,
                Series {
                    device,
                    metric: metric.to_owned(),
                },
            )
        })
        .collect();
    Ok(Resolved {
        devices,
        series,
        rows,
    })
}

/// The submissions of devices that may post now. Locks nothing, so it is only a forecast.
pub(super) async fn admitted<'a>(
    tx: &Tx,
    batch: &[&'a Submission],
) -> Result<Vec<&'a Submission>, StoreError> {
    let statement = sqlx::query(
        "select device_key from devices
         where device_key = any($1) and enabled and deleted_at is null",
    );
    let keys: Vec<&str> = batch.iter().map(|it| it.key.as_str()).collect();
    let rows = tx.fetch_all(statement.bind(keys)).await?;
    let keys: HashSet<String> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    Ok(batch
        .iter()
        .copied()
        .filter(|it| keys.contains(it.key.as_str()))
        .collect())
}

/// Finds the devices of the group and locks them in the order of their identifiers, so that two
/// instances which write for the same devices wait for each other instead of deadlocking.
async fn lock_devices(
    tx: &Tx,
    batch: &[&Submission],
) -> Result<HashMap<DeviceKeyHash, LockedDevice>, StoreError> {
    let keys: HashSet<&DeviceKeyHash> = batch.iter().map(|submission| &submission.key).collect();
    let statement = sqlx::query(
        "select device_key, id, enabled, status = 'online', last_seen_at from devices
         where device_key = any($1) and deleted_at is null
         order by id for no key update",
    );
    let texts: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    let mut found: HashMap<String, LockedDevice> = HashMap::new();
    for row in tx.fetch_all(statement.bind(texts)).await? {
        let device = LockedDevice {
            id: row.try_get(1)?,
            enabled: row.try_get(2)?,
            online: row.try_get(3)?,
            last_seen_at: row.try_get(4)?,
        };
        found.insert(row.try_get(0)?, device);
    }
    let devices = keys
        .into_iter()
        .filter_map(|key| Some((key.clone(), found.remove(key.as_str())?)));
    Ok(devices.collect())
}

type SeriesIds<'a> = HashMap<(Uuid, &'a str), i32>;

/// The series of every device and metric in the group, made where there is none yet.
async fn series<'a>(
    tx: &Tx,
    admitted: &[(Uuid, &'a Submission)],
    now: Timestamp,
) -> Result<SeriesIds<'a>, StoreError> {
    let mut wanted: Vec<(Uuid, &str)> = admitted
        .iter()
        .flat_map(|(device, it)| {
            it.readings
                .iter()
                .map(|reading| (*device, reading.metric.as_str()))
        })
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    wanted.sort_unstable();
    let mut ids = HashMap::new();
    let find = sqlx::query(
        "select series.device_id, series.metric, series.id
         from unnest($1::uuid[], $2::text[]) as wanted (device_id, metric)
         join series on series.device_id = wanted.device_id and series.metric = wanted.metric",
    );
    collect_series(tx, bind_names(find, &wanted), &wanted, &mut ids).await?;
    wanted.retain(|key| !ids.contains_key(key));
    if wanted.is_empty() {
        return Ok(ids);
    }
    refuse_too_many(tx, &mut wanted).await?;
    // The lock of the device keeps others from making the same series meanwhile.
    let make = sqlx::query(
        "insert into series (device_id, metric, created_at)
         select *, $3 from unnest($1::uuid[], $2::text[])
         returning device_id, metric, id",
    );
    collect_series(tx, bind_names(make, &wanted).bind(now), &wanted, &mut ids).await?;
    Ok(ids)
}

/// Leaves out the metrics that would be more than their device may have.
async fn refuse_too_many(tx: &Tx, wanted: &mut Vec<(Uuid, &str)>) -> Result<(), StoreError> {
    let devices: HashSet<Uuid> = wanted.iter().map(|(device, _)| *device).collect();
    let statement = sqlx::query(
        "select device_id, count(*) from series where device_id = any($1) group by device_id",
    );
    let devices: Vec<Uuid> = devices.into_iter().collect();
    let mut counts: HashMap<Uuid, usize> = HashMap::new();
    for row in tx.fetch_all(statement.bind(devices)).await? {
        let count: i64 = row.try_get(1)?;
        counts.insert(
            row.try_get(0)?,
            usize::try_from(count).unwrap_or(usize::MAX),
        );
    }
    wanted.retain(|(device, _)| {
        let count = counts.entry(*device).or_default();
        *count = count.saturating_add(1);
        *count <= MAX_METRICS
    });
    Ok(())
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

fn bind_names<'q>(statement: Statement<'q>, wanted: &[(Uuid, &str)]) -> Statement<'q> {
    let (devices, metrics): (Vec<Uuid>, Vec<String>) = wanted
        .iter()
        .map(|(device, metric)| (*device, (*metric).to_owned()))
        .unzip();
    statement.bind(devices).bind(metrics)
}

async fn collect_series<'a>(
    tx: &Tx,
    statement: Statement<'_>,
    wanted: &[(Uuid, &'a str)],
    ids: &mut SeriesIds<'a>,
) -> Result<(), StoreError> {
    let mut found: HashMap<(Uuid, String), i32> = HashMap::new();
    for row in tx.fetch_all(statement).await? {
        found.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
    }
    for (device, metric) in wanted {
        if let Some(id) = found.remove(&(*device, (*metric).to_owned())) {
            ids.insert((*device, *metric), id);
        }
    }
    Ok(())
}

/// Marks devices as online and seen, at most once a second each.
pub(super) async fn touch(
    tx: &Tx,
    resolved: &Resolved,
    batch: &[&Submission],
) -> Result<(), StoreError> {
    let mut seen: HashMap<Uuid, Timestamp> = HashMap::new();
    for submission in batch.iter().filter(|it| !it.readings.is_empty()) {
        let Some(device) = resolved.devices.get(&submission.key) else {
            continue;
        };
        let at = submission.received_at;
        let due = device
            .last_seen_at
            .is_none_or(|last| at - last >= TOUCH_EVERY);
        if device.enabled && (due || !device.online) {
            let latest = seen.entry(device.id).or_insert(at);
            *latest = at.max(*latest);
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "update devices set status = 'online', last_seen_at = greatest(last_seen_at, seen.at)
         from unnest($1::uuid[], $2::timestamptz[]) as seen (id, at) where devices.id = seen.id",
    );
    let (ids, times): (Vec<Uuid>, Vec<Timestamp>) = seen.into_iter().unzip();
    tx.execute(statement.bind(ids).bind(times))
        .await
        .map(|_| ())
}
