//! Ingest at a steady pace, with and without sixteen dashboards that ask slow questions.

use super::data::{self, Data};
use super::question;
use super::table::{Figures, ratio};
use crate::crowd::{Answers, Crowd};
use crate::meter::{Meter, SPENDERS};
use crate::options::Options;
use crate::pace;
use crate::request::Request;
use crate::rig::Rig;
use crate::table::median;
use std::time::Duration;

pub(super) const NAME: &str = "dashboard-beside";

/// Devices that post, each on a connection of its own, and how many readings a second in all.
pub(super) const DEVICES: usize = 16;
const PER_SECOND: u32 = 800;

/// Dashboards that ask, each over and over.
const DASHBOARDS: usize = 16;

/// What they ask, which no kept hour answers: days, interval, aggregates.
const SLOW: [(u64, &str, &str); 4] = [
    (365, "7d", "p50,p95,p99"),
    (90, "1d", "median,p99"),
    (30, "5m", "avg,min,max,stddev"),
    (365, "1mo", "p95"),
];

/// How long dashboards have asked before ingest is measured, and how long nothing is done after them.
const REST: Duration = Duration::from_secs(1);

/// Quiet, and beside dashboards.
type Round = [Side; 2];

const SIDES: [&str; 2] = ["quiet", "beside 16 dashboards"];

/// One of both in a round.
struct Side {
    figures: Figures,
    /// Cores that were busy, by [`SPENDERS`].
    cores: [f64; 4],
}

/// Measures in turns, prints what it came to, and answers how many readings were acknowledged.
pub(super) async fn run(rig: &mut Rig, options: &Options, data: &Data) -> u64 {
    // Dashboards that are refused are counted, and not told of one by one.
    rig.restart(&[("RUST_LOG", "off")]).await;
    let mut requests = requests(rig, options).await;
    let (mut rounds, mut answers) = (Vec::new(), Answers::new());
    // Series are made with their first readings.
    let warm =
        tokio::task::block_in_place(|| pace::run(rig.address, &mut requests, PER_SECOND, REST));
    let mut acknowledged = warm.readings;
    for _ in 0..options.rounds {
        let (quiet, readings) = measure(rig, options, &mut requests).await;
        acknowledged += readings;
        let asking = dashboards(rig, data).await;
        tokio::time::sleep(REST).await;
        let (busy, readings) = measure(rig, options, &mut requests).await;
        acknowledged += readings;
        asking.stop(&mut answers).await;
        tokio::time::sleep(REST).await;
        rounds.push([quiet, busy]);
    }
    print(&rounds, &answers);
    acknowledged
}

/// One for each connection, whose readings come to about now in the end.
async fn requests(rig: &Rig, options: &Options) -> Vec<Request> {
    let seconds = u64::from(options.rounds) * 2 * options.seconds;
    let each = seconds * u64::from(PER_SECOND) / DEVICES as u64;
    let now = rig.number("extract(epoch from now())::bigint").await;
    let keys = &rig.keys[data::DEVICES..data::DEVICES + DEVICES];
    let request = |key: &String| {
        let mut request = Request::post(key, 1);
        request.begin_at(now - each);
        request
    };
    keys.iter().map(request).collect()
}

async fn measure(rig: &Rig, options: &Options, requests: &mut [Request]) -> (Side, u64) {
    let [server, ..] = rig.pids();
    let before = Meter::read(rig, server).await;
    let time = Duration::from_secs(options.seconds);
    let run = || pace::run(rig.address, requests, PER_SECOND, time);
    let outcome = tokio::task::block_in_place(run);
    let cost = Meter::read(rig, server).await.since(before);
    let side = Side {
        figures: Figures::new(&outcome),
        cores: cost.cpu.map(|seconds| seconds / outcome.seconds),
    };
    (side, outcome.readings)
}

/// Dashboards that ask slow questions.
async fn dashboards(rig: &Rig, data: &Data) -> Crowd {
    let (token, mut crowd) = (rig.sign_in().await, Crowd::default());
    let slow = SLOW.into_iter().cycle().take(DASHBOARDS);
    for (days, interval, aggregates) in slow {
        let path = question::windows(data, days, interval, aggregates);
        crowd.add(rig.request(&path, &token), Duration::ZERO);
    }
    crowd
}

fn print(rounds: &[Round], answers: &Answers) {
    let [server, pooler, postgres, generator] = SPENDERS;
    println!(
        "\n{NAME}: {PER_SECOND} single readings a second on {DEVICES} connections, latency from when each was due\n\
         {:<21} {:>8} {:>8}   busy cores: {server:>9} {pooler:>9} {postgres:>9} {generator:>9}",
        "", "p50 ms", "p99 ms"
    );
    for (place, name) in SIDES.into_iter().enumerate() {
        let (p50, p99) = (
            median(rounds, |it| it[place].figures.p50),
            median(rounds, |it| it[place].figures.p99),
        );
        print!("{name:<21} {p50:>8.2} {p99:>8.2}              ");
        for spender in 0..SPENDERS.len() {
            print!(" {:>9.2}", median(rounds, |it| it[place].cores[spender]));
        }
        println!();
    }
    let p99s = ratio(rounds, |[quiet, busy]| {
        (busy.figures.p99, quiet.figures.p99)
    });
    println!("{p99s}   ratio of p99s, beside dashboards / quiet");
    println!("answers to the dashboards, by status: {answers:?}");
}
