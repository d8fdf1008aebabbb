//! Measures the program against other ways of doing the same, all in one run on one machine.
//!
//! Machines differ and are noisy, so what counts is the ratio of medians of alternating rounds. The
//! load generator is a process of its own, beside the server, on the same cores.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod baseline;
mod load;
mod rig;
mod table;

use load::{Load, Outcome};
use rig::Rig;
use table::Table;

/// Rounds of every scenario; the median counts.
const ROUNDS: usize = 5;

/// Devices that post.
const DEVICES: usize = 256;

const HEALTH: &str = "health, 64 connections";
const SINGLE: &str = "single readings, 64 connections";
const SINGLE_MANY: &str = "single readings, 256 connections";
const INSERT: &str = "one INSERT each on 10 direct connections, no HTTP";
const COPY: &str = "binary COPY into the same layout, 1 direct connection";

/// Batches, by readings in each and connections that post them.
const BATCHES: [(&str, usize, usize); 3] = [
    ("batches of 100, 16 connections", 100, 16),
    ("batches of 1,000, 8 connections", 1_000, 8),
    ("batches of 10,000, 4 connections", 10_000, 4),
];

#[tokio::main]
async fn main() {
    let rig = Rig::start(DEVICES).await;
    let mut table = Table::default();
    let idle = rig.resident_megabytes();
    let (mut acknowledged, mut serial) = (0, 0);
    for number in 1..=ROUNDS {
        eprintln!("round {number} of {ROUNDS}");
        acknowledged += round(&rig, &mut table, &mut serial).await;
    }
    let stored = rig.count("select count(*) from samples").await;
    table.print();
    table.ratio(SINGLE, HEALTH);
    table.ratio(SINGLE, INSERT);
    table.ratio(SINGLE_MANY, SINGLE);
    for (batch, ..) in BATCHES {
        table.ratio(batch, COPY);
    }
    let peak = rig.peak_megabytes();
    println!("\nresident memory of the server: {idle} MiB idle, {peak} MiB at its peak");
    println!("acknowledged {acknowledged} readings, stored {stored}");
    rig.stop().await;
    assert_eq!(
        stored, acknowledged,
        "what was acknowledged and what is stored differ"
    );
}

/// Measures every scenario once, and answers how many readings were acknowledged.
async fn round(rig: &Rig, table: &mut Table, serial: &mut u64) -> u64 {
    let mut acknowledged = 0;
    let health = Load::health(64).run(rig, serial).await;
    table.add(HEALTH, "req/s", &health);
    for (name, connections) in [(SINGLE, 64), (SINGLE_MANY, 256)] {
        let single = Load::readings(connections, 1).run(rig, serial).await;
        acknowledged += single.readings;
        table.add(name, "req/s", &single);
    }
    table.add(INSERT, "rows/s", &baseline::insert_each(rig).await);
    for (name, size, connections) in BATCHES {
        let batch = Load::readings(connections, size).run(rig, serial).await;
        acknowledged += batch.readings;
        table.add(name, "rows/s", &batch);
    }
    table.add(COPY, "rows/s", &baseline::copy(rig).await);
    acknowledged
}

impl Outcome {
    /// What a scenario without requests came to.
    fn of_rows(rows: u64, seconds: f64) -> Self {
        Self {
            readings: rows,
            requests: rows,
            seconds,
            latencies: Vec::new(),
        }
    }
}
