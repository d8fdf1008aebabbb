//! Three times as much as can be taken: what is too much is refused at once, and memory stays as it is.

use crate::connection::Connection;
use crate::load::{self, End, Outcome};
use crate::meter;
use crate::options::Options;
use crate::request::Request;
use crate::rig::Rig;
use mio::{Events, Poll, Token};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "overload";

/// Devices that post, each on a connection of its own; a few of them for what can be taken.
pub(crate) const DEVICES: usize = 256;
const SUSTAINED: usize = 8;

/// Readings of a request.
const READINGS: usize = 1_000;

/// How many times as much as can be taken is sent, and for how long.
const TIMES: f64 = 3.0;
const LASTING: Duration = Duration::from_secs(20);

/// What came of the requests that were due.
#[derive(Debug, Default)]
struct Answers {
    taken: Outcome,
    refused: Outcome,
    /// Connections that ended without an answer.
    cut: u64,
    /// Resident memory of the server in MiB, ten times a second.
    memory: Vec<u64>,
}

/// Measures what can be taken, sends three times as much, and answers how many readings were acknowledged.
pub(crate) fn run(rig: &Rig, options: &Options, keys: &[String]) -> u64 {
    let mut requests: Vec<_> = keys
        .iter()
        .map(|key| Request::post(key, READINGS))
        .collect();
    let [server, ..] = rig.pids();
    let time = End::After(Duration::from_secs(2 * options.seconds));
    let few = &mut requests[..SUSTAINED];
    let sustained = tokio::task::block_in_place(|| load::run(rig.address, few, time));
    #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
    let rate = sustained.requests as f64 / sustained.seconds;
    let before = meter::mebibytes(server, "VmRSS:");
    let every = Duration::from_secs_f64(1.0 / (rate * TIMES));
    let answers = tokio::task::block_in_place(|| flood(rig.address, &mut requests, every, server));
    print(rate, before, &answers);
    sustained.readings + answers.taken.readings
}

fn print(rate: f64, before: u64, answers: &Answers) {
    let third = answers.memory.len() / 3;
    let most = |part: &[u64]| part.iter().max().copied().unwrap_or_default();
    let (taken, refused) = (&answers.taken, &answers.refused);
    println!(
        "\n{NAME}: batches of {READINGS}, {rate:.0} a second can be taken, {:.0} a second are sent for {} s",
        rate * TIMES,
        LASTING.as_secs(),
    );
    for (what, outcome) in [("taken", taken), ("refused with 503", refused)] {
        println!(
            "{what:<17} {:>8} requests, p50 {:>8.2} ms, p99 {:>8.2} ms",
            outcome.requests,
            outcome.percentile(50),
            outcome.percentile(99)
        );
    }
    println!("cut off without an answer: {}", answers.cut);
    println!(
        "resident memory of the server: {before} MiB before, at most {} MiB in the first third, {} MiB in the last",
        most(&answers.memory[..third]),
        most(&answers.memory[2 * third..]),
    );
}

/// Sends one request after the other when it is due, on whichever connection has none under way.
fn flood(address: SocketAddr, requests: &mut [Request], every: Duration, server: u32) -> Answers {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(requests.len());
    let mut lines: Vec<_> = requests
        .iter_mut()
        .enumerate()
        .map(|(n, request)| Some(Connection::open(address, request, &poll, Token(n))))
        .collect();
    let mut idle: Vec<usize> = (0..lines.len()).collect();
    let (mut answers, started) = (Answers::default(), Instant::now());
    let (mut due, mut look) = (started, started);
    while started.elapsed() < LASTING || idle.len() < lines.len() {
        let now = Instant::now();
        if look <= now {
            look += Duration::from_millis(100);
            answers.memory.push(meter::mebibytes(server, "VmRSS:"));
        }
        while due <= now && due < started + LASTING {
            due += every;
            // Where all connections are busy nobody is there to send it.
            let Some(n) = idle.pop() else { continue };
            let line = lines[n].as_mut().unwrap();
            if line.try_begin().is_err() {
                let line = lines[n].take().unwrap();
                let mut line = line.reopen(address, &poll, Token(n));
                line.try_begin().unwrap();
                lines[n] = Some(line);
            }
        }
        if let Err(error) = poll.poll(&mut events, Some(Duration::from_millis(1))) {
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        }
        for event in &events {
            let Token(n) = event.token();
            if idle.contains(&n) {
                continue;
            }
            match lines[n].as_mut().unwrap().try_go_on(event) {
                Ok(false) => continue,
                Ok(true) => answers.note(lines[n].as_ref().unwrap()),
                Err(_) => {
                    answers.cut += 1;
                    let line = lines[n].take().unwrap();
                    lines[n] = Some(line.reopen(address, &poll, Token(n)));
                }
            }
            idle.push(n);
        }
    }
    answers.taken = answers.taken.end(started);
    answers.refused = answers.refused.end(started);
    answers
}

impl Answers {
    fn note(&mut self, line: &Connection) {
        let outcome = if line.is_refused() {
            &mut self.refused
        } else {
            self.taken.readings += line.created();
            &mut self.taken
        };
        outcome.requests += 1;
        let latency = line.began.elapsed().as_secs_f64() * 1000.0;
        outcome.latencies.push(latency);
    }
}
