//! The command line.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use crate::settings::Settings;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use client::Tool;
use std::path::PathBuf;

/// IoT telemetry over a JSON REST API.
///
/// Without DATABASE_URL it keeps its data in a private PostgreSQL under DATA_DIR, which it starts and
/// stops itself.
#[derive(Debug, Parser)]
#[command(
    name = "readout",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API until SIGTERM or Ctrl-C
    Serve,
    /// Bring the schema of the database up to date, or tell how it is
    Migrate {
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Rotate the keys that sign access tokens, or list them
    Keys {
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Print the OpenAPI document
    Openapi {
        /// Compare the document with this file instead, and fail if they differ
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
    #[command(flatten)]
    Tool(Tool),
}

impl Cli {
    /// Reads the command line; prints what is wrong with it, or help, and ends the program, where that is what it
    /// comes to.
    pub(crate) fn read() -> Self {
        let mut command = Self::whole();
        let matches = command.get_matches_mut();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// All commands. The tools do not show the settings, which mean nothing to them.
    fn whole() -> clap::Command {
        let mut command = Self::command();
        command.build();
        for tool in Tool::augment_subcommands(clap::Command::new("tools")).get_subcommands() {
            command = command.mut_subcommand(tool.get_name(), |tool| {
                tool.mut_args(|arg| {
                    let is_setting = arg.is_global_set();
                    arg.hide(is_setting)
                })
            });
        }
        command
    }
}

/// What to do with the schema.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum MigrateAction {
    /// Apply what is pending; safe to run from several places at once
    Up,
    /// List all migrations and whether they are applied
    Status,
}

/// What to do with the signing keys.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum KeysAction {
    /// List all keys, with what each is for and until when
    List,
    /// Make a new key: it is published now and signs in ten minutes, and the key before it verifies until
    /// its last token has expired
    Rotate {
        /// Let the new key sign now and remove all others, which may have leaked or cannot be opened: every
        /// access token is refused from then on, and clients refresh theirs
        #[arg(long)]
        at_once: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn tools_show_no_settings_and_the_others_do() {
        let help = |name: &str| {
            let mut command = Cli::whole();
            let found = command.find_subcommand_mut(name).unwrap();
            found.render_long_help().to_string()
        };
        for name in ["simulate", "import", "export"] {
            let help = help(name);
            assert!(!help.contains("DATABASE_URL"), "{name}: {help}");
            assert!(help.contains("READOUT_URL"), "{name}: {help}");
        }
        assert!(help("serve").contains("DATABASE_URL"));
    }

    #[test]
    fn help_tells_every_setting_with_its_variable() {
        let help = Cli::command().render_long_help().to_string();
        for variable in [
            "LISTEN_ADDR",
            "DATA_DIR",
            "DATABASE_URL",
            "DATABASE_DIRECT_URL",
            "DATABASE_MAX_CONNECTIONS",
            "DATABASE_PREPARED_STATEMENTS",
            "DATABASE_STATEMENT_TIMEOUT",
            "AUTH_SECRET",
            "AUTH_SECRET_PREVIOUS",
            "LOG_FORMAT",
            "RUST_LOG",
            "HTTP_WORKERS",
            "PASSWORD_THREADS",
            "INGEST_QUEUE_READINGS",
            "INGEST_QUEUE_BYTES",
            "RATE_LIMITS",
            "TRUSTED_PROXIES",
            "RATE_LIMIT_DEVICE",
            "RATE_LIMIT_OWNER",
        ] {
            assert!(help.contains(&format!("[env: {variable}")), "{variable}");
        }
    }
}
