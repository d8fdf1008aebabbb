//! The load generator: connections that are kept open, each with one request at a time.

use crate::rig::Rig;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a scenario is measured.
const MEASURED: Duration = Duration::from_secs(3);

/// A scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    connections: usize,
    /// Readings in each request; none asks `/health/live`.
    readings: usize,
}

/// What a scenario came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Readings that were acknowledged as created.
    pub(crate) readings: u64,
    pub(crate) seconds: f64,
    pub(crate) latencies: Vec<f64>,
}

impl Outcome {
    /// A percentile of the latencies, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().unwrap_or(f64::NAN)
    }
}

impl Load {
    pub(crate) fn health(connections: usize) -> Self {
        Self {
            connections,
            readings: 0,
        }
    }

    pub(crate) fn readings(connections: usize, readings: usize) -> Self {
        Self {
            connections,
            readings,
        }
    }

    /// Posts until the time is over. Every reading has a time of its own, counted by `serial`.
    pub(crate) async fn run(self, rig: &Rig, serial: &mut u64) -> Outcome {
        let started = Instant::now();
        let until = started + MEASURED;
        let mut tasks = tokio::task::JoinSet::new();
        for key in rig.keys.iter().cycle().take(self.connections) {
            let connection = Connection {
                address: rig.address.clone(),
                key: Arc::clone(key),
                readings: self.readings,
                // Far enough apart for what one connection can post in a round.
                serial: *serial,
            };
            *serial += 1_000_000;
            tasks.spawn(connection.run(until));
        }
        let mut total = Outcome::default();
        while let Some(outcome) = tasks.join_next().await {
            let outcome = outcome.unwrap();
            total.requests += outcome.requests;
            total.readings += outcome.readings;
            total.latencies.extend(outcome.latencies);
        }
        total.seconds = started.elapsed().as_secs_f64();
        total
    }
}

struct Connection {
    address: String,
    key: Arc<str>,
    readings: usize,
    serial: u64,
}

impl Connection {
    async fn run(mut self, until: Instant) -> Outcome {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut outcome = Outcome::default();
        let mut buffer = Vec::with_capacity(4096);
        while Instant::now() < until {
            let request = self.request();
            let started = Instant::now();
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read_answer(&mut stream, &mut buffer).await;
            outcome
                .latencies
                .push(started.elapsed().as_secs_f64() * 1000.0);
            outcome.requests += 1;
            outcome.readings += self.created(&answer);
        }
        outcome
    }

    fn request(&mut self) -> String {
        if self.readings == 0 {
            return format!(
                "GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n",
                self.address
            );
        }
        let mut body = String::with_capacity(self.readings * 80);
        if self.readings == 1 {
            self.reading(&mut body);
        } else {
            for place in 0..self.readings {
                body.push(if place == 0 { '[' } else { ',' });
                self.reading(&mut body);
            }
            body.push(']');
        }
        format!(
            "POST /api/v1/readings HTTP/1.1\r\nhost: {}\r\nx-device-key: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len(),
        )
    }

    /// Writes a reading with a time that no other has: a millisecond for each serial, from 2000 on.
    fn reading(&mut self, body: &mut String) {
        let at = rig_epoch() + chrono::TimeDelta::milliseconds(self.serial.cast_signed());
        let value = self.serial % 1000;
        write!(
            body,
            "{{\"metric\":\"temperature\",\"value\":{value}.{:03},\"recorded_at\":\"{}\"}}",
            self.serial % 997,
            at.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
        )
        .unwrap();
        self.serial += 1;
    }

    /// How many readings an answer acknowledges as created; anything but success ends the benchmark.
    fn created(&self, answer: &str) -> u64 {
        match self.readings {
            0 => 0,
            1 => {
                assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
                1
            }
            _ => {
                let (_, rest) = answer
                    .split_once("\"accepted\":")
                    .unwrap_or_else(|| panic!("{answer}"));
                rest.split(',').next().unwrap_or_default().parse().unwrap()
            }
        }
    }
}

fn rig_epoch() -> chrono::DateTime<chrono::Utc> {
    "2020-01-01T00:00:00Z".parse().unwrap()
}

/// Reads one answer, whose length its head tells.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> String {
    buffer.clear();
    loop {
        assert!(
            stream.read_buf(buffer).await.unwrap() > 0,
            "the server hung up"
        );
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (_, length) = head.split_once("content-length: ").unwrap();
            let length: usize = length
                .split('\r')
                .next()
                .unwrap_or_default()
                .parse()
                .unwrap();
            if body.len() >= length {
                return text.into_owned();
            }
        }
    }
}
