//! Requests at a steady pace, whether or not those before are answered.
//!
//! Each has a moment when it is due, and what it waits for from then on counts, also for its connection:
//! a server that stalls is not asked less because of it.

use crate::connection::Connection;
use crate::load::Outcome;
use crate::request::Request;
use mio::{Events, Poll, Token, Waker};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sends so many requests a second, each connection in its turn.
pub(crate) fn run(
    address: SocketAddr,
    requests: &mut [Request],
    per_second: u32,
    time: Duration,
) -> Outcome {
    let mut poll = Poll::new().unwrap();
    let clock = Token(requests.len());
    let waker = Waker::new(poll.registry(), clock).unwrap();
    let every = Duration::from_secs(1) / per_second;
    let started = Instant::now();
    let mut lines: Vec<_> = (0_u32..)
        .zip(requests)
        .map(|(n, request)| Line {
            connection: Connection::open(address, request, &poll, Token(n as usize)),
            due: started + every * n,
            is_busy: false,
        })
        .collect();
    let each = every * u32::try_from(lines.len()).unwrap();
    std::thread::scope(|scope| {
        // Polls wait for whole milliseconds only.
        scope.spawn(move || {
            let mut due = started;
            while due < started + time + every {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                waker.wake().unwrap();
                due += every;
            }
        });
        go_on(&mut poll, &mut lines, each, started + time)
    })
    .end(started)
}

/// A connection, and when its next request is due, or was.
struct Line<'a> {
    connection: Connection<'a>,
    due: Instant,
    is_busy: bool,
}

fn go_on(poll: &mut Poll, lines: &mut [Line], each: Duration, end: Instant) -> Outcome {
    let mut outcome = Outcome::default();
    let mut events = Events::with_capacity(lines.len() + 1);
    while lines.iter().any(|line| line.is_busy || line.due < end) {
        let now = Instant::now();
        for line in &mut *lines {
            if !line.is_busy && line.due < end && line.due <= now {
                line.connection.begin();
                line.is_busy = true;
            }
        }
        if let Err(error) = poll.poll(&mut events, None) {
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        }
        for event in &events {
            // The clock is no connection.
            let Some(line) = lines.get_mut(event.token().0) else {
                continue;
            };
            if line.is_busy && line.connection.go_on(event) {
                outcome.requests += 1;
                outcome.readings += line.connection.created();
                let latency = line.due.elapsed();
                outcome.latencies.push(latency.as_secs_f64() * 1000.0);
                line.due += each;
                line.is_busy = false;
            }
        }
    }
    outcome
}
