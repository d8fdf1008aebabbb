//! The command line of the kill test.

use clap::Parser;

/// Kills everything again and again under load, and then looks whether each acknowledged reading is stored exactly once
///
/// PostgreSQL, PgBouncer and the server are this program's own, in a temporary folder and on 127.0.0.1. Killing
/// processes shows what a crash of theirs does; what a power cut does to a disk it cannot show.
#[derive(Debug, Parser)]
#[command(name = "torture")]
pub(crate) struct Options {
    /// How often each of the server, PgBouncer and PostgreSQL is killed
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) kills: usize,

    /// Draws the same moments as an earlier run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}
