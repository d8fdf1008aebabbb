//! The tools: simulate a fleet, import a file, export what is stored.
//!
//! They talk to a running Readout as anyone can, over its public API, and know nothing else of it but the rules
//! of the domain.

mod api;
mod backoff;
mod clock;
mod export;
mod failure;
mod import;
mod progress;
mod secret;
mod service;
mod sheet;
mod simulate;
mod stop;

pub use export::Options as ExportOptions;
pub use failure::Failure;
pub use import::Options as ImportOptions;
pub use simulate::Options as SimulateOptions;

use clap::Subcommand;
use std::process::ExitCode;

/// The tools, each with its options.
#[derive(Debug, Subcommand)]
pub enum Tool {
    // What each of them is, its options tell.
    Simulate(Box<SimulateOptions>),
    Import(Box<ImportOptions>),
    Export(Box<ExportOptions>),
}

impl Tool {
    /// Runs the tool to its end, or until Ctrl-C; answers what the program is to exit with.
    ///
    /// # Errors
    ///
    /// One sentence for the one who typed the command.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let ended = match self {
            Self::Simulate(options) => simulate::run(*options).await?,
            Self::Import(options) => import::run(*options).await?,
            Self::Export(options) => export::run(*options).await?,
        };
        Ok(ended.into())
    }
}

/// How a tool ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything is done.
    Well,
    /// Everything is done that could be, and not everything could.
    InPart,
    /// Someone asked it to stop.
    Stopped,
    /// Nobody reads its output any more.
    Unread,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Well => Self::SUCCESS,
            Ended::InPart => Self::from(3),
            // As shells tell of a process that SIGINT or SIGPIPE ended.
            Ended::Stopped => Self::from(130),
            Ended::Unread => Self::from(141),
        }
    }
}
