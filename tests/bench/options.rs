//! The command line of the benchmark.

use crate::{overload, scenario, stored};
use clap::{Parser, Subcommand};

/// Measures Readout against other ways of doing the same, in one run, and counts the rows afterwards
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) serve: Option<Baseline>,

    /// Rounds of each scenario, which take turns; the medians count
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// How long each round of a scenario lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,

    /// Run only the scenarios whose name contains this; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "stored")]
    pub(crate) only: Vec<String>,

    /// Instead of the table: the rate into an empty table against that into one of N readings
    #[arg(long, value_name = "N")]
    pub(crate) stored: Option<u64>,

    /// Name the scenarios and end
    #[arg(long)]
    pub(crate) list: bool,
}

/// A server to compare with, which the benchmark runs as a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Baseline {
    /// actix-web and SeaORM: find the device by the hash of its key, then `ActiveModel::insert`
    #[command(hide = true)]
    ServePlain {
        /// The database
        url: String,
    },
    /// actix-web and tokio-postgres: one prepared INSERT and nothing else
    #[command(hide = true)]
    ServeLean {
        /// The database
        url: String,
        /// The device that all readings are of
        device: uuid::Uuid,
    },
}

impl Options {
    /// How many devices post.
    pub(crate) fn devices(&self) -> usize {
        match self.stored {
            Some(_) => stored::DEVICES,
            None => scenario::DEVICES + overload::DEVICES,
        }
    }

    /// Whether a scenario of this name is to be run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }
}
