//! What was measured, as medians and ratios.

use crate::load::Outcome;
use crate::meter::{Meter, SPENDERS};
use crate::scenario::{Kind, RATIOS, Scenario};

/// What one round of a scenario came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Requests or rows a second.
    pub(crate) rate: f64,
    /// Latencies of requests, or of statements of COPY, in milliseconds.
    p50: f64,
    p99: f64,
    /// Of the ingest writer.
    commits_per_second: f64,
    pub(crate) readings_per_commit: f64,
    /// Bytes of WAL for each reading.
    pub(crate) wal: f64,
    /// Microseconds of processor time for each reading, or request of `/health/live`.
    pub(crate) cpu: [f64; 4],
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
    pub(crate) fn new(outcome: &Outcome, cost: Meter) -> Self {
        let amount = match outcome.readings {
            0 => outcome.requests as f64,
            readings => readings as f64,
        };
        Self {
            rate: amount / outcome.seconds,
            p50: outcome.percentile(50),
            p99: outcome.percentile(99),
            commits_per_second: cost.commits / outcome.seconds,
            readings_per_commit: cost.committed / cost.commits,
            wal: cost.wal / amount,
            cpu: cost.cpu.map(|seconds| seconds * 1e6 / amount),
        }
    }
}

/// All rounds of all scenarios.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<(&'static str, Vec<Sample>)>,
}

impl Table {
    /// Adds a round of a scenario.
    pub(crate) fn add(&mut self, name: &'static str, sample: Sample) {
        match self.lines.iter_mut().find(|line| line.0 == name) {
            Some((_, samples)) => samples.push(sample),
            None => self.lines.push((name, vec![sample])),
        }
    }

    fn samples(&self, name: &str) -> &[Sample] {
        let line = self.lines.iter().find(|line| line.0 == name);
        line.map_or(&[], |(_, samples)| samples)
    }

    /// Prints rates and latencies.
    pub(crate) fn print_rates(&self, scenarios: &[Scenario]) {
        println!(
            "\n{:<12} {:<32} {:>5} {:>10} {:<6} {:>8} {:>8}",
            "scenario", "what", "conn.", "rate", "", "p50 ms", "p99 ms"
        );
        for it in scenarios {
            let rounds = self.samples(it.name);
            let unit = match it.kind {
                Kind::Readings(2..) | Kind::Copy(_) => "rows/s",
                Kind::Readings(_) | Kind::Health | Kind::Plain | Kind::Lean => "req/s",
            };
            println!(
                "{:<12} {:<32} {:>5} {:>10.0} {unit:<6} {:>8.2} {:>8.2}",
                it.name,
                it.what,
                it.connections,
                median(rounds, |it| it.rate),
                median(rounds, |it| it.p50),
                median(rounds, |it| it.p99),
            );
        }
    }

    /// Prints what each reading cost, and how many shared a commit.
    pub(crate) fn print_costs(&self, scenarios: &[Scenario]) {
        let [server, pooler, postgres, generator] = SPENDERS;
        println!(
            "\n{:<12} {:>9} {:>9} {:>9}   CPU us a reading (a request of /health/live)",
            "scenario", "commits", "readings", "WAL B"
        );
        println!(
            "{:<12} {:>9} {:>9} {:>9} {server:>9} {pooler:>9} {postgres:>9} {generator:>9}",
            "", "a second", "a commit", "a reading"
        );
        for it in scenarios {
            let rounds = self.samples(it.name);
            let only = |shown: bool, value: f64| {
                if shown {
                    format!("{value:.1}")
                } else {
                    "-".to_owned()
                }
            };
            let ours = matches!(it.kind, Kind::Readings(_));
            print!(
                "{:<12} {:>9} {:>9} {:>9}",
                it.name,
                only(ours, median(rounds, |it| it.commits_per_second)),
                only(ours, median(rounds, |it| it.readings_per_commit)),
                only(it.kind != Kind::Health, median(rounds, |it| it.wal)),
            );
            for spender in 0..SPENDERS.len() {
                print!(" {:>9.2}", median(rounds, |it| it.cpu[spender]));
            }
            println!();
        }
    }

    /// Prints how many times as fast one scenario is as another: the ratio of the medians, and the
    /// least and the most of any round.
    pub(crate) fn print_ratios(&self) {
        println!("\n{:>8} {:>17}   ratio of rates", "", "of any round");
        for (one, other) in RATIOS {
            let (ones, others) = (self.samples(one), self.samples(other));
            if ones.is_empty() || others.is_empty() {
                continue;
            }
            let pairs = ones.iter().zip(others);
            let mut rounds: Vec<_> = pairs.map(|(one, other)| one.rate / other.rate).collect();
            rounds.sort_unstable_by(f64::total_cmp);
            println!(
                "{:>8.3} {:>8.3}-{:<8.3}   {one} / {other}",
                median(ones, |it| it.rate) / median(others, |it| it.rate),
                rounds[0],
                rounds[rounds.len() - 1],
            );
        }
    }
}

/// The middle one of the rounds; of an even number the mean of the two in the middle.
pub(crate) fn median<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut sorted: Vec<_> = rounds.iter().map(figure).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count => f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2]),
    }
}
