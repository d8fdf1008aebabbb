//! What it costs ingest that hours are kept: to mark them, and to sum them up in the background.

use super::beside;
use super::data;
use super::table::ratio;
use crate::load::{self, End};
use crate::meter::Meter;
use crate::options::Options;
use crate::request::Request;
use crate::rig::Rig;
use crate::table::median;
use std::time::Duration;

pub(super) const NAME: &str = "dashboard-upkeep";

/// Devices that post, each on a connection of its own, and readings in each request.
pub(super) const DEVICES: usize = 8;
const BATCH: usize = 1_000;

/// Seconds between two readings of a device.
const SPACING: u64 = 10;

/// Time that is not measured after the server was started, which begins with summing up.
const WARM_UP: Duration = Duration::from_secs(2);

/// What each way came to: readings a second, and microseconds of processor time for each, of all but the
/// generator. The latter tells more where the machine is noisy.
type Round = [(f64, f64); 3];

const WAYS: [(&str, &str); 3] = [
    ("no hour is marked", "off"),
    ("hours are marked", "off"),
    ("and summed up", "on"),
];

/// Measures in turns, prints what it came to, and answers how many readings were acknowledged.
pub(super) async fn run(rig: &mut Rig, options: &Options) -> u64 {
    let first = data::DEVICES + beside::DEVICES;
    let keys = &rig.keys[first..first + DEVICES];
    let request = |key: &String| Request::post(key, BATCH).spaced(SPACING);
    let mut requests: Vec<_> = keys.iter().map(request).collect();
    let horizon = rig.number("select marking_hour from rollup_horizon").await;
    let (mut rounds, mut acknowledged) = (Vec::new(), 0);
    for number in 0..options.rounds as usize {
        let mut round = Round::default();
        for turn in 0..WAYS.len() {
            // Each is the first one now and then.
            let place = (number + turn) % WAYS.len();
            let (_, switch) = WAYS[place];
            rig.restart(&[("ROLLUP_HOURS", switch)]).await;
            // What is posted is of 2020, so before this hour or after it.
            let hour = if place == 0 { 0 } else { horizon };
            let horizon =
                format!("update rollup_horizon set closed_hour = {hour}, marking_hour = {hour}");
            rig.direct.batch_execute(&horizon).await.unwrap();
            // What was written before is not to be paid for now.
            rig.direct.batch_execute("checkpoint").await.unwrap();
            let mut post = |time| {
                let run = || load::run(rig.address, &mut requests, End::After(time));
                tokio::task::block_in_place(run)
            };
            acknowledged += post(WARM_UP).readings;
            let [server, ..] = rig.pids();
            let before = Meter::read(rig, server).await;
            let outcome = post(Duration::from_secs(options.seconds));
            let cost = Meter::read(rig, server).await.since(before);
            acknowledged += outcome.readings;
            #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
            let readings = outcome.readings as f64;
            let [server, pooler, postgres, _] = cost.cpu;
            let cpu = (server + pooler + postgres) * 1e6 / readings;
            round[place] = (readings / outcome.seconds, cpu);
        }
        rounds.push(round);
    }
    print(&rounds);
    acknowledged
}

fn print(rounds: &[Round]) {
    println!(
        "\n{NAME}: batches of {BATCH} of hours long ago, {DEVICES} connections\n\
         {:<18} {:>9} {:>8} {:<17} {:>9} {:>8} {:<17}",
        "", "rows/s", "ratio", "   of any round", "CPU us", "ratio", "   of any round"
    );
    for (place, (name, _)) in WAYS.into_iter().enumerate() {
        print!("{name:<18}");
        for figure in [|it: &(f64, f64)| it.0, |it: &(f64, f64)| it.1] {
            let this = median(rounds, |it| figure(&it[place]));
            let ratio = ratio(rounds, |it| (figure(&it[place]), figure(&it[0])));
            print!(" {this:>9.2} {ratio}");
        }
        println!();
    }
}
