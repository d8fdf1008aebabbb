//! Binary COPY into a table that is like `samples` in everything: columns, types, primary key, checks,
//! triggers and partitions.
//!
//! What is copied is encoded before the clock starts, and each statement carries one series in the
//! order of its times, which is what COPY is fastest with.

use crate::load::Outcome;
use crate::reading::Reading;
use crate::rig::Rig;
use futures_util::SinkExt;
use std::io::Cursor;
use std::pin::pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Seconds from 1970 to 2000, from where PostgreSQL counts.
const POSTGRES_EPOCH: u64 = 946_684_800;

/// Bytes of one message of the protocol; larger ones are no faster.
const CHUNK: usize = 64 * 1024;

/// Makes the table, from what `samples` is at the moment.
pub(crate) async fn prepare(rig: &Rig) {
    let one = async |sql: &str| rig.text(sql).await;
    let key = one("select pg_get_partkeydef('samples'::regclass)").await;
    assert_eq!(key, "RANGE (recorded_at)", "samples are divided otherwise");
    let triggers = one(
        "select coalesce(string_agg(replace(pg_get_triggerdef(oid), ' ON public.samples ', ' ON copied ') || ';', ' '), '') \
         from pg_trigger where tgrelid = 'samples'::regclass and not tgisinternal",
    )
    .await;
    let sql = format!(
        "create table copied (like samples including all) partition by {key}; \
         create table copied_default partition of copied default; \
         create table copied_2020_01 partition of copied \
             for values from ('2020-01-01 00:00:00+00') to ('2020-02-01 00:00:00+00'); \
         {triggers}"
    );
    rig.direct.batch_execute(&sql).await.unwrap();
}

/// Copies so many rows in each of so many statements, each of which commits by itself.
pub(crate) async fn run(rig: &Rig, rows: u64, statements: u64) -> Outcome {
    static SERIES: AtomicI32 = AtomicI32::new(1);
    let series = || SERIES.fetch_add(1, Ordering::Relaxed);
    let encoded: Vec<_> = (0..statements).map(|_| encode(series(), 0..rows)).collect();
    let mut outcome = Outcome::default();
    let started = Instant::now();
    for chunks in encoded {
        let began = Instant::now();
        outcome.readings += copy(rig, chunks).await;
        outcome.requests += 1;
        outcome
            .latencies
            .push(began.elapsed().as_secs_f64() * 1000.0);
    }
    outcome.end(started)
}

async fn copy(rig: &Rig, chunks: Vec<Vec<u8>>) -> u64 {
    let sql = "copy copied (series_id, recorded_at, value) from stdin (format binary)";
    let sink = rig.direct.copy_in(sql).await.unwrap();
    let mut sink = pin!(sink);
    for chunk in chunks {
        sink.feed(Cursor::new(chunk)).await.unwrap();
    }
    sink.finish().await.unwrap()
}

/// All of a statement's data, in pieces of about one chunk.
fn encode(series: i32, readings: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut chunk = HEADER.to_vec();
    for number in readings {
        row(&mut chunk, series, Reading(number));
        if chunk.len() > CHUNK {
            chunks.push(std::mem::take(&mut chunk));
            chunk.reserve(CHUNK + 100);
        }
    }
    chunk.extend(TRAILER);
    chunks.push(chunk);
    chunks
}

fn row(out: &mut Vec<u8>, series: i32, reading: Reading) {
    let seconds = reading.seconds() - POSTGRES_EPOCH;
    let micros = seconds * 1_000_000 + reading.milliseconds() * 1000;
    out.extend(3_i16.to_be_bytes());
    field(out, &series.to_be_bytes());
    field(out, &micros.to_be_bytes());
    // A numeric: how many digits to the base of 10,000, the weight of the first, the sign, the digits
    // after the point as they are shown, and the digits. Zeros at the end are left out.
    let number = |number: u64| u16::try_from(number).unwrap().to_be_bytes();
    let (whole, fraction) = (reading.whole(), reading.thousandths() * 10);
    let count = if fraction == 0 { 1 } else { 2 };
    let parts = [count, 0, 0, 3, whole, fraction].map(number);
    let length = 8 + 2 * usize::try_from(count).unwrap();
    field(out, &parts.as_flattened()[..length]);
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
}
