//! What dashboards look at, loaded through the API as devices would post it.

use crate::rig::Rig;
use futures_util::{StreamExt, stream};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) const DAY: u64 = 86_400;

/// Seconds between two readings of a metric.
const SPACING: u64 = 10;

/// Metrics of the device whose latest readings are asked for.
const METRICS: u64 = 50;

/// Devices that are asked for together.
const FLEET: usize = 100;

/// All devices that are loaded: one with a year, one with many metrics, and the fleet.
pub(super) const DEVICES: usize = 2 + FLEET;

/// Readings in each request, and requests at once.
const BATCH: u64 = 10_000;
const CONNECTIONS: usize = 4;

/// What is there once everything is loaded.
#[derive(Debug)]
pub(super) struct Data {
    /// Ids of the devices.
    pub(super) year: String,
    pub(super) many_metrics: String,
    pub(super) fleet: Vec<String>,
    /// Where all readings end, in seconds since 1970: the last hour that is closed.
    pub(super) end: u64,
    pub(super) readings: u64,
}

/// Some readings of a device, whose metrics take turns.
#[derive(Clone, Copy)]
struct Part {
    device: usize,
    metrics: u64,
    days: u64,
}

/// A request: readings of a part by their numbers.
struct Batch {
    device: usize,
    metrics: u64,
    start: u64,
    numbers: std::ops::Range<u64>,
}

/// Loads everything, waits until closed hours are summed up, and tells how long both took.
pub(super) async fn load(rig: &Rig) -> Data {
    // Ten minutes after its end an hour is closed.
    let end = "floor(extract(epoch from now() - interval '11 minutes') / 3600) * 3600";
    let end = rig.number(&format!("({end})::bigint")).await;
    let part = |device, metrics, days| Part {
        device,
        metrics,
        days,
    };
    let fleet = (2..DEVICES).map(|device| part(device, 1, 1));
    let parts = [part(0, 1, 365), part(1, METRICS, 1)]
        .into_iter()
        .chain(fleet);
    let (started, posted) = (Instant::now(), AtomicU64::new(0));
    stream::iter(parts.flat_map(|part| batches(part, end)))
        .for_each_concurrent(CONNECTIONS, async |batch| {
            posted.fetch_add(post(rig, batch).await, Ordering::Relaxed);
        })
        .await;
    let (readings, seconds) = (posted.into_inner(), started.elapsed().as_secs_f64());
    eprintln!("loaded {readings} readings in {seconds:.1} s");
    sum_up(rig, end).await;
    Data {
        year: rig.ids[0].clone(),
        many_metrics: rig.ids[1].clone(),
        fleet: rig.ids[2..DEVICES].to_vec(),
        end,
        readings,
    }
}

fn batches(part: Part, end: u64) -> impl Iterator<Item = Batch> {
    let Part {
        device,
        metrics,
        days,
    } = part;
    let all = days * DAY / SPACING * metrics;
    let step = usize::try_from(BATCH).unwrap();
    (0..all).step_by(step).map(move |first| Batch {
        device,
        metrics,
        start: end - days * DAY,
        numbers: first..all.min(first + BATCH),
    })
}

/// The name of a metric of a device.
pub(super) fn metric(number: u64) -> String {
    format!("m{number}")
}

/// Posts a batch, and answers how many readings were acknowledged.
async fn post(rig: &Rig, batch: Batch) -> u64 {
    let mut body = String::from("[");
    let count = batch.numbers.end - batch.numbers.start;
    for number in batch.numbers {
        let comma = if body.len() == 1 { "" } else { "," };
        let metric = metric(number % batch.metrics);
        let at = batch.start + number / batch.metrics * SPACING;
        // Two digits after the point; no device has the values of another one.
        let value = (number * 7_919 + batch.device as u64 * 131) % 10_000;
        let (whole, hundredths) = (value / 100, value % 100);
        write!(body, "{comma}{{\"metric\":\"{metric}\",\"value\":{whole}.{hundredths:02},\"recorded_at\":{at}}}").unwrap();
    }
    body.push(']');
    let answer = rig.post_readings(batch.device, body).await;
    let accepted = answer.get("accepted").and_then(serde_json::Value::as_u64);
    assert_eq!(accepted, Some(count), "{answer}");
    count
}

async fn sum_up(rig: &Rig, end: u64) {
    let started = Instant::now();
    let done = format!(
        "(select closed_hour * 3600::bigint >= {end} from rollup_horizon) \
         and not exists (select from stale_hours)"
    );
    while rig.text(&done).await != "true" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let hours = rig.number("select count(*) from series_hours").await;
    eprintln!("{hours} hours of series are summed up, {seconds:.1} s later");
    // So that both sides find their tables in the same state.
    rig.direct.batch_execute("vacuum analyze").await.unwrap();
}
