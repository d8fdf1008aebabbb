//! Kills the server, `PgBouncer` and PostgreSQL at random moments under load, and then compares what was
//! acknowledged with what is stored.
//!
//! What was acknowledged stands in a file that the client syncs before an acknowledgement counts. Every
//! request of an unknown outcome is sent again, the very same, until it is acknowledged.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod audit;
mod client;
mod killer;
mod ledger;
mod load;
mod options;
mod random;
mod reading;
mod report;
mod rig;
mod tally;

use audit::Findings;
use clap::Parser;
use client::Client;
use killer::Recoveries;
use ledger::Ledger;
use load::Shared;
use options::Options;
use random::Random;
use rig::Rig;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let folder = tempfile::Builder::new()
        .prefix("readout-torture-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    // It is removed in the end, and stays to be looked at where something was wrong, also after a panic.
    let folder = folder.keep();
    println!("in {}", folder.display());
    let mut rig = tokio::select! {
        rig = Rig::start(&folder) => rig,
        _ = tokio::signal::ctrl_c() => return ExitCode::FAILURE,
    };
    let is_well = tokio::select! {
        is_well = run(&options, &mut rig, &folder) => Some(is_well),
        _ = tokio::signal::ctrl_c() => None,
    };
    rig.stop().await;
    if is_well == Some(false) {
        println!("\nWRONG: see {}", folder.display());
        return ExitCode::FAILURE;
    }
    std::fs::remove_dir_all(&folder).unwrap();
    if is_well.is_none() {
        return ExitCode::FAILURE;
    }
    println!("\nwell: each acknowledged reading is stored exactly once, and nothing else is");
    ExitCode::SUCCESS
}

/// Tortures, compares, reports, and answers whether all is well.
async fn run(options: &Options, rig: &mut Rig, folder: &Path) -> bool {
    let seed = options.seed.unwrap_or_else(Random::seed);
    println!("--kills {} --seed {seed}", options.kills);
    require_durable(rig).await;
    let client = Client::new(rig.address);
    let devices = client.provision(load::DEVICES).await;
    let ledger = Ledger::create(&folder.join("ledger"));
    let shared = Arc::new(Shared::new(client, devices, ledger));
    let recoveries = torture(options, rig, &shared, seed).await;
    // What is compared has been through a recovery, and nobody writes any more.
    rig.kill_server().await;
    rig.kill_postgres().await;
    let shared = Arc::into_inner(shared).unwrap();
    let findings = audit(rig, shared.ledger, &shared.devices).await;
    report::print_kills(options.kills, &recoveries);
    report::print_load(&shared.tally);
    report::print_findings(&shared.tally, &findings)
}

/// Without these a crash could lose what was acknowledged, and the test would say nothing.
async fn require_durable(rig: &Rig) {
    let client = rig.direct().await;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let shown = client.query_one(&format!("show {setting}"), &[]).await;
        let value: String = shown.unwrap().get(0);
        assert_eq!(value, "on", "{setting}");
    }
}

/// Kills under load until all kills are done and every request is acknowledged.
async fn torture(options: &Options, rig: &mut Rig, shared: &Arc<Shared>, seed: u64) -> Recoveries {
    let mut workers = load::start(shared);
    let mut random = Random::new(seed);
    let recoveries = tokio::select! {
        recoveries = killer::run(rig, &shared.tally, &mut random, options.kills) => recoveries,
        Some(ended) = workers.join_next() => {
            ended.unwrap();
            unreachable!("a worker ended before it was told to")
        }
    };
    shared.stop();
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    recoveries
}

async fn audit(rig: &Rig, ledger: Ledger, devices: &[client::Device]) -> Findings {
    let ledger = ledger.read_back();
    // The postmaster may have let someone in just when it was killed.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let client = rig.direct().await;
    audit::compare(&client, devices, &ledger).await
}
