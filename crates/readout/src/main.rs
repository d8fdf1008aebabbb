//! Readout, the program: command line, settings, and everything wired together.

mod cli;
mod database;
mod keys;
mod logging;
mod mail;
mod memory;
mod migrate;
mod openapi;
mod secret;
mod serve;
mod settings;
mod signals;
mod throttle;
mod web;
mod workers;

use cli::{Cli, Command};
use std::{error::Error, process::ExitCode};
use tokio::task::LocalSet;

/// What a command says when it cannot go on: one sentence for the one who typed it.
type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    memory::give_back_large_blocks();
    start()
}

/// This thread runs the ingest writers and the background workers; HTTP has threads of its own.
#[tokio::main(flavor = "current_thread")]
async fn start() -> ExitCode {
    match LocalSet::new().run_until(Box::pin(run(Cli::read()))).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("readout: {failure}");
            let mut cause = failure.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(Cli { command, settings }: Cli) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve => serve::run(settings).await?,
        Command::Migrate { action } => migrate::run(action, &settings).await?,
        Command::Keys { action } => keys::run(action, &settings).await?,
        Command::Openapi { check } => openapi::run(check.as_deref())?,
        Command::Tool(tool) => return Ok(tool.run().await?),
    }
    Ok(ExitCode::SUCCESS)
}
