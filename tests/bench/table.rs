//! What was measured, as medians and ratios.

use crate::load::Outcome;

/// One line: a scenario with what each round came to.
#[derive(Debug)]
struct Line {
    name: String,
    unit: &'static str,
    rates: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// All scenarios, in the order in which they were first measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Adds a round of a scenario.
    #[expect(
        clippy::cast_precision_loss,
        reason = "rates are told with three digits"
    )]
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, outcome: &Outcome) {
        let amount = if unit == "rows/s" {
            outcome.readings
        } else {
            outcome.requests
        };
        let rate = amount as f64 / outcome.seconds;
        let (p50, p99) = (outcome.percentile(50), outcome.percentile(99));
        if let Some(line) = self.lines.iter_mut().find(|line| line.name == name) {
            line.rates.push(rate);
            line.p50.push(p50);
            line.p99.push(p99);
            return;
        }
        let (rates, p50, p99) = (vec![rate], vec![p50], vec![p99]);
        self.lines.push(Line {
            name: name.to_owned(),
            unit,
            rates,
            p50,
            p99,
        });
    }

    /// Prints every scenario with its medians.
    pub(crate) fn print(&self) {
        println!(
            "{:<56} {:>12} {:>9} {:>9}",
            "scenario (medians)", "rate", "p50 ms", "p99 ms"
        );
        for line in &self.lines {
            let (rate, p50, p99) = (median(&line.rates), median(&line.p50), median(&line.p99));
            println!(
                "{:<56} {rate:>7.0} {} {p50:>9.2} {p99:>9.2}",
                line.name, line.unit
            );
        }
        println!();
    }

    /// Prints how many times as fast one scenario is as another.
    pub(crate) fn ratio(&self, one: &str, other: &str) {
        let rate = |name: &str| {
            let line = self.lines.iter().find(|line| line.name == name);
            line.map_or(f64::NAN, |line| median(&line.rates))
        };
        println!("{:>6.2} x  {one} / {other}", rate(one) / rate(other));
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
