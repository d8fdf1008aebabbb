//! What rules cost ingest: the same readings of devices with three rules each, and of devices with none.

use crate::load::{self, End};
use crate::meter::Meter;
use crate::options::Options;
use crate::reading::EPOCH;
use crate::request::Request;
use crate::rig::Rig;
use crate::table::Sample;
use serde_json::json;
use std::time::Duration;

/// Devices with rules, and as many without.
const EACH: usize = 1_000;

pub(crate) const DEVICES: usize = 2 * EACH;

/// Seconds between the times of two scenarios.
const APART: u64 = 10_000_000;

/// Name, connections, and readings of each request. Each round posts as the next so many devices.
const ALL: [(&str, usize, usize); 3] = [
    ("rules-batch-100", 50, 100),
    ("rules-batch-1000", 10, 1_000),
    ("rules-single", 250, 1),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|(name, ..)| name)
}

/// Values go from 100 to 999 and begin again: two rules never fire, and one is pending for a reading in each turn.
fn rules() -> [serde_json::Value; 3] {
    let rule = |comparator, threshold| json!({"metric": "temperature", "comparator": comparator, "threshold": threshold});
    let mut calm = rule("gt", 5_000);
    calm["clear_threshold"] = json!(4_000);
    calm["for"] = json!("10m");
    calm["keep_firing_for"] = json!("5m");
    let mut nearly = rule("gte", 999);
    nearly["for"] = json!("1m");
    [rule("lt", 50), calm, nearly]
}

/// Posts in turns as devices with rules and without, prints what that came to, and answers how many readings were
/// acknowledged.
pub(crate) async fn run(rig: &Rig, options: &Options) -> u64 {
    let token = rig.sign_in().await;
    for id in &rig.ids[..EACH] {
        for rule in rules() {
            rig.post(&format!("devices/{id}/alert-rules"), &token, &rule)
                .await;
        }
    }
    let mut acknowledged = 0;
    println!(
        "\n{:<18} {:>5} {:>12} {:>12} {:>7} {:>15}   CPU µs a reading with, without (server, pgbouncer, postgres)",
        "scenario", "conn.", "with rules/s", "without/s", "ratio", "of any round"
    );
    for (number, scenario) in (0..).zip(ALL) {
        if options.wants(scenario.0) {
            acknowledged += compare(rig, options, scenario, EPOCH + number * APART).await;
        }
    }
    let alerts = rig.number("select count(*) from alerts").await;
    println!("{alerts} alerts came of it");
    acknowledged
}

async fn compare(
    rig: &Rig,
    options: &Options,
    (name, connections, readings): (&str, usize, usize),
    begin: u64,
) -> u64 {
    let request = |key: &String| {
        let mut request = match readings {
            1 => Request::post(key, 1).live(),
            readings => Request::post(key, readings),
        };
        request.begin_at(begin);
        request
    };
    let mut requests: Vec<Request> = rig.keys.iter().map(request).collect();
    let mut acknowledged = 0;
    // Series and partitions are made, and rules begin.
    for devices in requests.chunks_mut(connections) {
        acknowledged += round(rig, devices, End::Readings(readings as u64)).await.1;
    }
    let time = || End::After(Duration::from_secs(options.seconds));
    let mut rounds: Vec<[Sample; 2]> = Vec::new();
    for number in 0..options.rounds {
        eprintln!("{name}: round {} of {}", number + 1, options.rounds);
        let begin = number as usize * connections % EACH;
        let mut pair = Vec::new();
        for begin in [begin, EACH + begin] {
            let devices = &mut requests[begin..begin + connections];
            let (sample, created) = round(rig, devices, time()).await;
            pair.push(sample);
            acknowledged += created;
        }
        rounds.push([pair[0], pair[1]]);
    }
    print(name, connections, &rounds);
    acknowledged
}

async fn round(rig: &Rig, devices: &mut [Request], end: End) -> (Sample, u64) {
    let [server, ..] = rig.pids();
    let before = Meter::read(rig, server).await;
    let outcome = tokio::task::block_in_place(|| load::run(rig.address, devices, end));
    let cost = Meter::read(rig, server).await.since(before);
    (Sample::new(&outcome, cost), outcome.readings)
}

fn print(name: &str, connections: usize, rounds: &[[Sample; 2]]) {
    let median = |value: &dyn Fn(&[Sample; 2]) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        (
            values[values.len() / 2],
            values[0],
            values[values.len() - 1],
        )
    };
    let rate = |side: usize| median(&|it| it[side].rate).0;
    let (ratio, least, most) = median(&|it| it[0].rate / it[1].rate);
    let cpu = |side: usize| {
        let spent = [0, 1, 2].map(|place| median(&|it| it[side].cpu[place]).0);
        spent.map(|it| format!("{it:.1}")).join(" ")
    };
    println!(
        "{name:<18} {connections:>5} {:>12.0} {:>12.0} {ratio:>7.3} {:>15}   {}, {}",
        rate(0),
        rate(1),
        format!("{least:.3}-{most:.3}"),
        cpu(0),
        cpu(1),
    );
}
