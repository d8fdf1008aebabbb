//! The load generator: connections that are kept open, each with one request at a time.
//!
//! It shares the machine's cores with what it measures, so it is one thread without a runtime that
//! sends prepared bytes and looks no closer at the answers than it must.

use crate::connection::Connection;
use crate::request::Request;
use mio::{Events, Poll, Token};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// When to send no more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    After(Duration),
    /// When so many readings were acknowledged.
    Readings(u64),
}

/// What a round of a scenario came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Requests, or statements, that were answered.
    pub(crate) requests: u64,
    /// Readings that were acknowledged as created.
    pub(crate) readings: u64,
    pub(crate) seconds: f64,
    /// Milliseconds from the first byte of a request to the last of its answer, ascending.
    pub(crate) latencies: Vec<f64>,
}

impl Outcome {
    /// A percentile of the latencies, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let place = self.latencies.len() * percent / 100;
        self.latencies.get(place).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn end(mut self, started: Instant) -> Self {
        self.seconds = started.elapsed().as_secs_f64();
        self.latencies.sort_unstable_by(f64::total_cmp);
        self
    }
}

/// Posts each request on a connection of its own, over and over.
pub(crate) fn run(address: SocketAddr, requests: &mut [Request], end: End) -> Outcome {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(requests.len());
    let mut connections: Vec<_> = requests
        .iter_mut()
        .enumerate()
        .map(|(n, request)| Connection::open(address, request, &poll, Token(n)))
        .collect();
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let mut waiting = connections.len();
    for connection in &mut connections {
        connection.begin();
    }
    while waiting > 0 {
        if let Err(error) = poll.poll(&mut events, None) {
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        }
        for event in &events {
            let connection = &mut connections[event.token().0];
            if !connection.go_on(event) {
                continue;
            }
            let now = Instant::now();
            outcome.requests += 1;
            outcome.readings += connection.created();
            let latency = now.duration_since(connection.began);
            outcome.latencies.push(latency.as_secs_f64() * 1000.0);
            let is_over = match end {
                End::After(time) => now.duration_since(started) >= time,
                End::Readings(enough) => outcome.readings >= enough,
            };
            if is_over {
                waiting -= 1;
            } else {
                connection.begin();
            }
        }
    }
    outcome.end(started)
}
