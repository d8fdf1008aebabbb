//! Measures the program against other ways of doing the same, all in one run on one machine.
//!
//! Machines differ and are noisy, so what counts is the ratio of medians of alternating rounds. The
//! load generator is a process of its own, beside every server that it asks, on the same cores.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on fails"
)]

mod answer;
mod baseline;
mod connection;
mod copy;
mod crowd;
mod dashboard;
mod lean;
mod load;
mod meter;
mod options;
mod overload;
mod pace;
mod plain;
mod reading;
mod request;
mod rig;
mod rules;
mod scenario;
mod sign_in;
mod stored;
mod table;

use clap::Parser;
use options::{Baseline, Options};
use rig::Rig;
use scenario::{Baselines, Scenario};
use std::process::ExitCode;
use table::{Sample, Table};

/// Seconds of each scenario that are not measured: connections are made, series and partitions too.
const WARM_UP: f64 = 0.3;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match &options.serve {
        Some(baseline) => {
            baseline::end_with_the_benchmark();
            serve(baseline).await;
            return ExitCode::SUCCESS;
        }
        None if options.list => {
            names().for_each(|name| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        None if !names().any(|name| options.wants(name)) => {
            eprintln!("no scenario is called that; --list names them");
            return ExitCode::FAILURE;
        }
        None => {}
    }
    for part in [Part::Ingest, Part::Rules, Part::SignIns, Part::Dashboards] {
        if part.is_wanted(&options) && !part.measure(&options).await {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The names of all scenarios.
fn names() -> impl Iterator<Item = &'static str> {
    scenario::names()
        .chain([overload::NAME])
        .chain(rules::names())
        .chain([sign_in::NAME])
        .chain(dashboard::names())
}

/// What is measured in a database of its own.
#[derive(Debug, Clone, Copy)]
enum Part {
    Ingest,
    Rules,
    SignIns,
    Dashboards,
}

impl Part {
    fn is_wanted(self, options: &Options) -> bool {
        match self {
            Self::Ingest => {
                let mut names = scenario::names().chain([overload::NAME]);
                names.any(|name| options.wants(name))
            }
            Self::Rules => {
                options.stored.is_none() && rules::names().any(|name| options.wants(name))
            }
            Self::SignIns => options.stored.is_none() && options.wants(sign_in::NAME),
            Self::Dashboards => {
                options.stored.is_none() && dashboard::names().any(|name| options.wants(name))
            }
        }
    }

    /// Runs it, and answers whether all that was acknowledged is stored.
    async fn measure(self, options: &Options) -> bool {
        let devices = match self {
            Self::Ingest => options.devices(),
            Self::Rules => rules::DEVICES,
            Self::SignIns => sign_in::DEVICES,
            Self::Dashboards => dashboard::DEVICES,
        };
        let mut rig = tokio::select! {
            rig = Rig::start(devices) => rig,
            _ = tokio::signal::ctrl_c() => return false,
        };
        let run = async {
            match self {
                Self::Ingest => run(&rig, options).await,
                Self::Rules => {
                    let acknowledged = rules::run(&rig, options).await;
                    is_stored(&rig, "select count(*) from samples", acknowledged).await
                }
                Self::SignIns => {
                    let acknowledged = sign_in::run(&mut rig, options).await;
                    is_stored(&rig, "select count(*) from samples", acknowledged).await
                }
                Self::Dashboards => {
                    let acknowledged = dashboard::run(&mut rig, options).await;
                    println!();
                    is_stored(&rig, "select count(*) from samples", acknowledged).await
                }
            }
        };
        let all_there = tokio::select! {
            all_there = run => all_there,
            _ = tokio::signal::ctrl_c() => false,
        };
        rig.stop().await;
        all_there
    }
}

async fn serve(baseline: &Baseline) {
    match baseline {
        Baseline::ServePlain { url } => plain::serve(url).await,
        Baseline::ServeLean { url, device } => lean::serve(url, *device).await,
    }
}

/// Measures what the options ask for, and answers whether all that was acknowledged is stored.
async fn run(rig: &Rig, options: &Options) -> bool {
    let [server, ..] = rig.pids();
    let idle = meter::mebibytes(server, "VmRSS:");
    let all_there = match options.stored {
        Some(target) => {
            let acknowledged = stored::run(rig, options, target).await;
            println!();
            is_stored(rig, "select count(*) from samples", acknowledged).await
        }
        None => compare(rig, options).await,
    };
    let peak = meter::mebibytes(server, "VmHWM:");
    println!("resident memory of the server: {idle} MiB idle, {peak} MiB at its peak");
    print_disk(rig, "samples").await;
    all_there
}

/// Runs the scenarios in turns, and prints how they compare.
async fn compare(rig: &Rig, options: &Options) -> bool {
    rig.direct.batch_execute(plain::TABLE).await.unwrap();
    copy::prepare(rig).await;
    let mut scenarios = scenario::chosen(options, &rig.keys);
    let baselines = Baselines::start(rig, &scenarios).await;
    for it in &mut scenarios {
        it.round(rig, &baselines, WARM_UP).await;
    }
    if scenarios.is_empty() {
        return all_stored(rig, &scenarios, overload(rig, options)).await;
    }
    let mut table = Table::default();
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        for it in &mut scenarios {
            #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
            let seconds = options.seconds as f64;
            let (outcome, cost) = it.round(rig, &baselines, seconds).await;
            table.add(it.name, Sample::new(&outcome, cost));
        }
    }
    println!(
        "medians of {} rounds of {} s",
        options.rounds, options.seconds
    );
    table.print_rates(&scenarios);
    table.print_ratios();
    table.print_costs(&scenarios);
    println!();
    print_disk(rig, "copied").await;
    let more = overload(rig, options);
    all_stored(rig, &scenarios, more).await
}

/// Sends more than can be taken, if that is wanted, and answers how many readings were acknowledged.
fn overload(rig: &Rig, options: &Options) -> u64 {
    if options.wants(overload::NAME) {
        overload::run(rig, options, &rig.keys[scenario::DEVICES..])
    } else {
        0
    }
}

/// Counts the rows of every table that was written to, with readings beside those of the scenarios.
async fn all_stored(rig: &Rig, scenarios: &[Scenario], more: u64) -> bool {
    let mut counts: Vec<_> = scenarios.iter().filter_map(Scenario::counted_by).collect();
    counts.push(scenario::SAMPLES);
    counts.sort_unstable();
    counts.dedup();
    let mut all_there = true;
    for sql in counts {
        let same = scenarios.iter().filter(|it| it.counted_by() == Some(sql));
        let acknowledged: u64 = same.map(|it| it.acknowledged).sum();
        let more = if sql == scenario::SAMPLES { more } else { 0 };
        let acknowledged = acknowledged + more;
        all_there &= is_stored(rig, sql, acknowledged).await;
    }
    all_there
}

async fn is_stored(rig: &Rig, sql: &str, acknowledged: u64) -> bool {
    let stored = rig.number(sql).await;
    println!("acknowledged {acknowledged}, {sql}: {stored}");
    if stored != acknowledged {
        eprintln!("what was acknowledged and what is stored differ");
    }
    stored == acknowledged
}

/// Prints how many bytes on disk a row takes, with its part of the index.
async fn print_disk(rig: &Rig, table: &str) {
    let sizes =
        format!("select sum(pg_total_relation_size(relid)) from pg_partition_tree('{table}')");
    let rows = rig.number(&format!("select count(*) from {table}")).await;
    if rows == 0 {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
    let each = rig.number(&sizes).await as f64 / rows as f64;
    println!("disk: {each:.1} bytes for each of {rows} rows of {table}, index included");
}
