//! The summary, and whether all is well.

use crate::audit::Findings;
use crate::killer::{Recoveries, VICTIMS};
use crate::tally::Tally;

/// Prints how often what was killed, and how long it took to recover.
pub(crate) fn print_kills(kills: usize, recoveries: &Recoveries) {
    println!("\nkilled by SIGKILL      times   until acknowledged again: median, longest");
    for (victim, name) in VICTIMS.iter().enumerate() {
        let mut times = recoveries[victim].clone();
        times.sort_unstable();
        let seconds = |place: usize| match times.get(place) {
            Some(time) => format!("{:.2} s", time.as_secs_f64()),
            // Another was killed before it had recovered.
            None => "-".to_owned(),
        };
        println!(
            "  {name:<20} {kills:>5}   {:>8} {:>8}",
            seconds(times.len() / 2),
            seconds(times.len().saturating_sub(1)),
        );
    }
}

/// Prints what was counted.
pub(crate) fn print_load(tally: &Tally) {
    println!("\nload");
    for (name, count) in [
        ("requests acknowledged", &tally.requests),
        ("  after an unknown outcome", &tally.retried),
        ("attempts without an answer", &tally.broken),
        ("attempts answered with 5xx", &tally.failed),
        ("sent again once acknowledged", &tally.repeated),
        ("readings acknowledged", &tally.readings),
        ("  answered as created", &tally.created),
        ("  as stored before", &tally.stored_before),
    ] {
        println!("  {name:<42} {:>9}", count.get());
    }
}

/// Prints the comparison, and answers whether there is no difference.
pub(crate) fn print_findings(tally: &Tally, findings: &Findings) -> bool {
    println!("\nledger against database, in readings");
    println!("  {:<42} {:>9}", "stored", findings.stored);
    let wrong = [
        ("acknowledged and not stored", findings.missing),
        ("stored with another value", findings.different),
        ("stored more than once", findings.repeated),
        ("stored and never sent", findings.unsent),
        (
            "kept and not shown, or the reverse",
            findings.samples - findings.stored,
        ),
        (
            "stored, and not in the client's own count",
            findings.stored - tally.readings.get().cast_signed(),
        ),
        (
            "created after they were acknowledged",
            tally.created_again.get().cast_signed(),
        ),
        (
            "stored before they were first sent",
            tally.stored_unsent.get().cast_signed(),
        ),
        (
            "created more often than there are",
            (tally.created.get().cast_signed() - findings.stored).max(0),
        ),
    ];
    for (name, count) in wrong {
        let mark = if count == 0 { "" } else { "  WRONG" };
        println!("  {name:<42} {count:>9}{mark}");
    }
    wrong.iter().all(|(_, count)| *count == 0)
}
