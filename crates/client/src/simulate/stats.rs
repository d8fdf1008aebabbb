//! Figures of a simulation, while it runs and in the end.

use crate::{api::Receipt, progress::grouped};
use hdrhistogram::Histogram;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How much time the figures that are shown live are of.
const RECENT: Duration = Duration::from_secs(5);

/// Figures that all devices write.
#[derive(Debug)]
pub(super) struct Stats(Mutex<Figures>);

/// What there is to tell.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) measured: u64,
    pub(super) acknowledged: u64,
    /// Readings that were posted again and are stored once.
    pub(super) duplicates: u64,
    pub(super) late: u64,
    /// Readings that the service will never take.
    pub(super) refused: u64,
    /// Measurements that were not made, since as many readings wait as may.
    pub(super) missed: u64,
    /// Posts that failed, by the code of the problem.
    pub(super) errors: BTreeMap<String, u64>,
    /// Microseconds of the posts that were answered.
    pub(super) latency: Histogram<u64>,
    started: Instant,
    recent: Recent,
}

#[derive(Debug, Clone)]
struct Recent {
    since: Instant,
    acknowledged: u64,
    latency: Histogram<u64>,
    /// What is shown until the next figures are complete.
    shown: String,
}

/// A minute in microseconds, and three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are in order"))
}

impl Stats {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Figures {
            measured: 0,
            acknowledged: 0,
            duplicates: 0,
            late: 0,
            refused: 0,
            missed: 0,
            errors: BTreeMap::new(),
            latency: histogram(),
            started: now,
            recent: Recent {
                since: now,
                acknowledged: 0,
                latency: histogram(),
                shown: "…".to_owned(),
            },
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many readings were measured.
    pub(super) fn measured(&self, count: usize) {
        self.lock().measured += number(count);
    }

    /// So many were not.
    pub(super) fn missed(&self, count: usize) {
        self.lock().missed += number(count);
    }

    /// A post was answered; so many of its readings are told to be stored for the first time.
    pub(super) fn answered(
        &self,
        receipt: &Receipt,
        took: Duration,
        acknowledged: usize,
        refused: usize,
    ) {
        let mut figures = self.lock();
        figures.acknowledged += number(acknowledged);
        figures.refused += number(refused);
        figures.duplicates += receipt.duplicates;
        figures.late += receipt.late;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        figures.latency.saturating_record(micros);
        figures.recent.latency.saturating_record(micros);
    }

    /// A post failed.
    pub(super) fn failed(&self, code: &str) {
        *self.lock().errors.entry(code.to_owned()).or_default() += 1;
    }

    /// All figures as they are now.
    pub(super) fn figures(&self) -> Figures {
        self.lock().clone()
    }

    /// One line of what goes on.
    pub(super) fn line(&self) -> String {
        let mut figures = self.lock();
        let elapsed = figures.recent.since.elapsed();
        if elapsed >= RECENT || figures.recent.shown == "…" {
            let new = figures.acknowledged - figures.recent.acknowledged;
            let latency = &figures.recent.latency;
            let shown = format!(
                "{:.1} readings/s, {}",
                rate(new, elapsed),
                quantiles(latency)
            );
            if elapsed >= RECENT {
                figures.recent = Recent {
                    since: Instant::now(),
                    acknowledged: figures.acknowledged,
                    latency: histogram(),
                    shown,
                };
            } else if new > 0 {
                figures.recent.shown = shown;
            }
        }
        let waiting = figures.measured - figures.acknowledged - figures.refused;
        let mut line = format!(
            "{}, {} acknowledged, {} waiting",
            figures.recent.shown,
            grouped(figures.acknowledged),
            grouped(waiting)
        );
        if !figures.errors.is_empty() {
            line.push_str(", failed: ");
            line.push_str(&figures.failures());
        }
        line
    }
}

impl Figures {
    /// Failed posts by their code.
    pub(super) fn failures(&self) -> String {
        let each = self
            .errors
            .iter()
            .map(|(code, count)| format!("{code} {}", grouped(*count)));
        each.collect::<Vec<_>>().join(", ")
    }

    /// Readings that nobody has acknowledged.
    pub(super) fn unacknowledged(&self) -> u64 {
        self.measured - self.acknowledged - self.refused
    }

    /// Of everything.
    pub(super) fn speed(&self) -> String {
        let elapsed = self.started.elapsed();
        format!(
            "{} posts, {}, {:.1} readings/s in {:.1} s",
            grouped(self.latency.len()),
            quantiles(&self.latency),
            rate(self.acknowledged, elapsed),
            elapsed.as_secs_f64()
        )
    }
}

fn quantiles(latency: &Histogram<u64>) -> String {
    let millis = |quantile| {
        let micros = u32::try_from(latency.value_at_quantile(quantile)).unwrap_or(u32::MAX);
        f64::from(micros) / 1_000.0
    };
    format!("p50 {:.1} ms, p99 {:.1} ms", millis(0.5), millis(0.99))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "told with one digit after the point"
)]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(0.001)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
