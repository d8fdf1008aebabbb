//! Ingest at a steady pace, with and without five hundred sign-ins at once; and whether time tells who has an account.

use crate::crowd::{Answers, Crowd};
use crate::meter;
use crate::options::Options;
use crate::pace;
use crate::request::Request;
use crate::rig::Rig;
use crate::table::median;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "sign-ins";

/// Devices that post, each on a connection of its own, and how many readings a second in all.
pub(crate) const DEVICES: usize = 16;
const PER_SECOND: u32 = 800;

/// Sign-ins at once.
const SIGN_INS: u32 = 500;

/// Sign-ins to an account and to none that are compared.
const PAIRS: usize = 200;

/// How long sign-ins go on before ingest is measured, and how long nothing is done after them.
const REST: Duration = Duration::from_secs(1);

/// p50 and p99 of ingest in milliseconds: quiet, and beside sign-ins.
type Round = [[f64; 2]; 2];

/// Measures in turns, prints what it came to, and answers how many readings were acknowledged.
pub(crate) async fn run(rig: &mut Rig, options: &Options) -> u64 {
    // Sign-ins that are refused are counted, and not told of one by one.
    rig.restart(&[("RUST_LOG", "off")]).await;
    let mut requests: Vec<_> = rig
        .keys
        .iter()
        .map(|key| Request::post(key, 1).live())
        .collect();
    let [server, ..] = rig.pids();
    let (mut acknowledged, mut rounds, mut answers) = (0, Vec::new(), Answers::new());
    let mut measure = |time| {
        let run = || pace::run(rig.address, &mut requests, PER_SECOND, time);
        let outcome = tokio::task::block_in_place(run);
        acknowledged += outcome.readings;
        [outcome.percentile(50), outcome.percentile(99)]
    };
    measure(REST);
    let time = Duration::from_secs(options.seconds);
    let before = meter::mebibytes(server, "VmRSS:");
    for _ in 0..options.rounds {
        let quiet = measure(time);
        let flood = flood(rig);
        tokio::time::sleep(REST).await;
        rounds.push([quiet, measure(time)]);
        flood.stop(&mut answers).await;
        tokio::time::sleep(REST).await;
    }
    let peak = meter::mebibytes(server, "VmHWM:");
    print(&rounds, &answers);
    println!("resident memory of the server: {before} MiB before, {peak} MiB at its peak");
    tell_apart(rig).await;
    acknowledged
}

fn print(rounds: &[Round], answers: &Answers) {
    println!(
        "\n{NAME}: {PER_SECOND} single readings a second on {DEVICES} connections, latency from when each was due\n\
         {:<21} {:>8} {:>8}",
        "", "p50 ms", "p99 ms"
    );
    for (place, name) in ["quiet", "beside 500 sign-ins"].into_iter().enumerate() {
        let [p50, p99] = [0, 1].map(|figure| median(rounds, |it| it[place][figure]));
        println!("{name:<21} {p50:>8.2} {p99:>8.2}");
    }
    let p99s = median(rounds, |[quiet, busy]| busy[1] / quiet[1]);
    println!("{p99s:.2}   ratio of p99s, beside sign-ins / quiet");
    println!("answers to the sign-ins, by status: {answers:?}");
}

/// Sign-ins over and over, half of them to an account and half to none.
fn flood(rig: &Rig) -> Crowd {
    let mut crowd = Crowd::default();
    for number in 0..SIGN_INS {
        let request = rig.sign_in_request(&email(number % 2 == 0, number), "a wrong password");
        // As Retry-After says, and a little longer, each by its own.
        let more = Duration::from_millis(u64::from(2 * number));
        crowd.add(request, Duration::from_secs(1) + more);
    }
    crowd
}

fn email(is_known: bool, number: u32) -> String {
    if is_known {
        "bench@example.com".to_owned()
    } else {
        format!("nobody{number}@example.com")
    }
}

/// Compares sign-ins to an account with those to none, one after the other.
async fn tell_apart(rig: &Rig) {
    let mut pairs = Vec::with_capacity(PAIRS);
    for number in 0..PAIRS {
        let mut pair = [0.0; 2];
        // Each comes first as often as the other.
        for place in [number % 2, 1 - number % 2] {
            let number = u32::try_from(number).unwrap();
            let request = rig.sign_in_request(&email(place == 0, number), "a wrong password");
            let started = Instant::now();
            let answer = request.send().await.unwrap();
            answer.bytes().await.unwrap();
            pair[place] = started.elapsed().as_secs_f64() * 1000.0;
        }
        pairs.push(pair);
    }
    let [known, unknown] = [0, 1].map(|place| median(&pairs, |it| it[place]));
    println!(
        "medians of {PAIRS} pairs of sign-ins: {known:.2} ms to an account, {unknown:.2} ms to none; they differ by {:.1} %",
        (known - unknown).abs() / unknown * 100.0
    );
}
