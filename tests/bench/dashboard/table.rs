//! What dashboards came to, as medians and ratios.

use super::question::Question;
use crate::load::Outcome;
use crate::meter::{Meter, SPENDERS};
use crate::table::median;

/// What one side came to in one round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    rate: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
    pub(super) fn new(outcome: &Outcome) -> Self {
        Self {
            rate: outcome.requests as f64 / outcome.seconds,
            p50: outcome.percentile(50),
            p99: outcome.percentile(99),
        }
    }
}

/// Readout and plain SQL in the same round.
#[derive(Debug, Clone, Copy)]
struct Round {
    ours: Figures,
    theirs: Figures,
    /// Milliseconds of processor time for each question to Readout, by [`SPENDERS`].
    cpu: [f64; 4],
}

/// All rounds of all questions.
#[derive(Debug)]
pub(super) struct Table(Vec<Vec<Round>>);

impl Table {
    pub(super) fn new(questions: usize) -> Self {
        Self(vec![Vec::new(); questions])
    }

    /// Adds a round of the question at this place.
    pub(super) fn add(&mut self, place: usize, ours: &Outcome, theirs: &Outcome, cost: Meter) {
        #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
        let questions = ours.requests as f64;
        self.0[place].push(Round {
            ours: Figures::new(ours),
            theirs: Figures::new(theirs),
            cpu: cost.cpu.map(|seconds| seconds * 1000.0 / questions),
        });
    }

    pub(super) fn print(&self, questions: &[Question]) {
        println!(
            "\n{:<18} {:<33} {:>5} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>17}",
            "question",
            "what",
            "conn.",
            "a second",
            "p50 ms",
            "p99 ms",
            "plain SQL",
            "p50 ms",
            "p99 ms",
            "ratio",
            "of any round"
        );
        for (it, rounds) in questions.iter().zip(&self.0) {
            print!("{:<18} {:<33} {:>5}", it.name, it.what, it.clients);
            for side in [(|it: &Round| it.ours) as fn(&Round) -> Figures, |it| {
                it.theirs
            }] {
                print!(
                    " {:>9.1} {:>8.2} {:>8.2}",
                    median(rounds, |it| side(it).rate),
                    median(rounds, |it| side(it).p50),
                    median(rounds, |it| side(it).p99),
                );
            }
            println!(" {}", ratio(rounds, |it| (it.theirs.p50, it.ours.p50)));
        }
        println!("ratio: p50 of plain SQL / p50 of Readout");
    }

    /// Prints what each question cost.
    pub(super) fn print_costs(&self, questions: &[Question]) {
        println!("\n{:<18} CPU ms a question", "");
        print!("{:<18}", "question");
        for name in SPENDERS {
            print!(" {name:>9}");
        }
        println!();
        for (it, rounds) in questions.iter().zip(&self.0) {
            print!("{:<18}", it.name);
            for spender in 0..SPENDERS.len() {
                print!(" {:>9.2}", median(rounds, |it| it.cpu[spender]));
            }
            println!();
        }
    }
}

/// The ratio of the medians of two figures, and the least and the most of any round.
pub(super) fn ratio<T>(rounds: &[T], figures: impl Fn(&T) -> (f64, f64)) -> String {
    let (one, other) = (
        median(rounds, |it| figures(it).0),
        median(rounds, |it| figures(it).1),
    );
    let mut all: Vec<_> = rounds
        .iter()
        .map(|it| figures(it).0 / figures(it).1)
        .collect();
    all.sort_unstable_by(f64::total_cmp);
    format!(
        "{:>8.3} {:>8.3}-{:<8.3}",
        one / other,
        all[0],
        all[all.len() - 1]
    )
}
