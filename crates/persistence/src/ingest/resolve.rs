//! Finding out what a group talks about: keys become devices, metrics become series.

use super::{
    Submission,
    directory::Known,
    group::{Group, Sender},
    lock::{self, Locked},
    writer::Work,
};
use crate::{StoreError, Tx};
use domain::{Timestamp, device::DeviceKeyHash, reading::MAX_METRICS};
use sqlx::{Postgres, Row as _, postgres::PgArguments, query::Query};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What is to be done about a series that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is made.
    Make,
    /// A negative number stands for it, which no series has: nothing is written.
    Imagine,
}

/// Finds the devices and series of a group, and locks the devices.
pub(super) async fn resolve(
    tx: &Tx,
    batch: &[&Work],
    missing: Missing,
    now: Timestamp,
) -> Result<(Group, Locked), StoreError> {
    let found = find_devices(tx, batch).await?;
    let mut devices: Vec<Uuid> = found.values().map(|known| known.device).collect();
    devices.sort_unstable();
    let [locked] = tx.message([lock::statement(&devices, now)]).await?;
    let locked = lock::read(&locked)?;
    let senders: Vec<Sender> = batch
        .iter()
        .map(|work| sender(found.get(&work.submission.key), &locked))
        .collect();
    let admitted: Vec<(Uuid, &Submission)> = batch
        .iter()
        .zip(&senders)
        .filter_map(|(work, sender)| match sender {
            Sender::Device(known) => Some((known.device, &work.submission)),
            Sender::Disabled(_) | Sender::Unknown => None,
        })
        .collect();
    let series = series(tx, &admitted, missing, now).await?;
    let mut group = Group::with_room_for(batch);
    for (work, sender) in batch.iter().zip(senders) {
        match sender {
            Sender::Device(known) => {
                let id = |metric| series.get(&(known.device, metric)).copied();
                let readings = work.submission.readings.iter();
                group.admit(
                    known,
                    &work.submission,
                    readings.map(|it| id(it.metric.as_str())),
                );
            }
            Sender::Disabled(_) | Sender::Unknown => group.senders.push(sender),
        }
    }
    Ok((group, locked))
}

/// Who sent a submission, from who has its key and what the lock says of them.
fn sender(found: Option<&Known>, locked: &Locked) -> Sender {
    let Some(found) = found else {
        return Sender::Unknown;
    };
    let known = |enabled| Known {
        enabled,
        armed: locked.armed.contains_key(&found.device),
        ..*found
    };
    if locked.enabled.binary_search(&found.device).is_ok() {
        Sender::Device(known(true))
    } else if locked.disabled.binary_search(&found.device).is_ok() {
        Sender::Disabled(known(false))
    } else {
        Sender::Unknown
    }
}

/// The submissions of devices that may post now. Locks nothing, so it is only a forecast.
pub(super) async fn admitted<'a>(tx: &Tx, batch: &[&'a Work]) -> Result<Vec<&'a Work>, StoreError> {
    let statement = sqlx::query(
        "select device_key from devices
         where device_key = any($1) and enabled and deleted_at is null",
    );
    let keys: HashSet<DeviceKeyHash> = batch.iter().map(|it| it.submission.key).collect();
    let keys: Vec<String> = keys.iter().map(DeviceKeyHash::to_hex).collect();
    let rows = tx.fetch_all(statement.bind(keys)).await?;
    let keys: HashSet<String> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    Ok(batch
        .iter()
        .copied()
        .filter(|it| keys.contains(&it.submission.key.to_hex()))
        .collect())
}

async fn find_devices(
    tx: &Tx,
    batch: &[&Work],
) -> Result<HashMap<DeviceKeyHash, Known>, StoreError> {
    let keys: HashMap<String, DeviceKeyHash> = batch
        .iter()
        .map(|it| (it.submission.key.to_hex(), it.submission.key))
        .collect();
    let statement = sqlx::query(
        "select device_key, id, owner_id from devices
         where device_key = any($1) and deleted_at is null",
    );
    let texts: Vec<&str> = keys.keys().map(String::as_str).collect();
    let mut found = HashMap::new();
    for row in tx.fetch_all(statement.bind(texts)).await? {
        let known = Known {
            device: row.try_get(1)?,
            owner: row.try_get(2)?,
            enabled: false,
            armed: false,
        };
        if let Some(key) = keys.get(row.try_get::<&str, _>(0)?) {
            found.insert(*key, known);
        }
    }
    Ok(found)
}

type SeriesIds<'a> = HashMap<(Uuid, &'a str), i32>;

/// The series of every device and metric in the group.
async fn series<'a>(
    tx: &Tx,
    admitted: &[(Uuid, &'a Submission)],
    missing: Missing,
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
    if missing == Missing::Imagine {
        ids.extend(wanted.into_iter().zip((1..).map(i32::wrapping_neg)));
        return Ok(ids);
    }
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
