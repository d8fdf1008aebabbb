//! Whether ingest slows down as more is stored.

use crate::load::{self, End};
use crate::meter::Meter;
use crate::options::Options;
use crate::request::Request;
use crate::rig::Rig;
use crate::table::{Sample, median};
use std::time::Duration;

/// Devices that post; the whole filling lies in few months, as with a busy installation.
pub(crate) const DEVICES: usize = 8;

/// Readings in each request while it is measured, and while the table is filled.
const MEASURED: usize = 1_000;
const FILLING: usize = 10_000;

/// Readings between two words on how far the filling is.
const STEP: u64 = 2_000_000;

/// Measures ingest into an empty table, fills it to `target` readings, measures again, and answers
/// how many readings were acknowledged.
pub(crate) async fn run(rig: &Rig, options: &Options, target: u64) -> u64 {
    let keys = rig.keys.iter().take(DEVICES);
    let mut requests: Vec<_> = keys
        .clone()
        .map(|key| Request::post(key, MEASURED))
        .collect();
    let mut fillers: Vec<_> = keys.map(|key| Request::post(key, FILLING)).collect();

    let mut stored = 0;
    let empty = measure(rig, options, &mut requests, &mut stored).await;
    for (filler, request) in fillers.iter_mut().zip(&requests) {
        filler.follow(request);
    }
    while stored < target {
        let end = End::Readings(STEP.min(target - stored));
        let outcome = tokio::task::block_in_place(|| load::run(rig.address, &mut fillers, end));
        stored += outcome.readings;
        #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
        let rate = outcome.readings as f64 / outcome.seconds;
        eprintln!("{stored} readings stored, {rate:.0} rows/s in batches of {FILLING}");
    }
    for (request, filler) in requests.iter_mut().zip(&fillers) {
        request.follow(filler);
    }
    let full = measure(rig, options, &mut requests, &mut stored).await;
    println!(
        "\n{:>8.3}   ratio of rates, full / empty",
        median(&full, |it| it.rate) / median(&empty, |it| it.rate)
    );
    stored
}

/// Measures a few rounds, and prints their medians.
async fn measure(
    rig: &Rig,
    options: &Options,
    requests: &mut [Request],
    stored: &mut u64,
) -> Vec<Sample> {
    // What was written before is not to be paid for now, neither time.
    rig.direct.batch_execute("checkpoint").await.unwrap();
    let [server, ..] = rig.pids();
    let (mut rounds, before) = (Vec::new(), *stored);
    for _ in 0..options.rounds {
        let end = End::After(Duration::from_secs(options.seconds));
        let meter = Meter::read(rig, server).await;
        let outcome = tokio::task::block_in_place(|| load::run(rig.address, requests, end));
        *stored += outcome.readings;
        let cost = Meter::read(rig, server).await.since(meter);
        rounds.push(Sample::new(&outcome, cost));
    }
    println!(
        "with {before} to {stored} readings stored: {:.0} rows/s in batches of {MEASURED}, {:.0} readings a commit, \
         {:.1} B of WAL a reading",
        median(&rounds, |it| it.rate),
        median(&rounds, |it| it.readings_per_commit),
        median(&rounds, |it| it.wal),
    );
    rounds
}
