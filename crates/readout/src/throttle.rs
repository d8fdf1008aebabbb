//! Settings of throttling.

use clap::{Args, value_parser};

/// Whom attempts to sign in are counted for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct ThrottleSettings {
    /// Proxies of yours between clients and this service, each of which adds to X-Forwarded-For: so many
    /// of its last addresses are believed; 0 where clients can connect directly, since anyone may send that header
    #[arg(long, global = true, env = "TRUSTED_PROXIES", value_name = "N", default_value_t = 0,
        value_parser = value_parser!(u8).range(0..=10))]
    pub(crate) trusted_proxies: u8,
}
