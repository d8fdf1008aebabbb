//! The log, on stderr.

use crate::{Failure, settings::LogFormat, settings::Settings};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, fmt};

/// Begins logging. A request is one line; its span carries what identifies it.
pub(crate) fn start(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.rust_log).map_err(|error| {
        format!("RUST_LOG is not a list of directives such as info or readout=debug: {error}")
    })?;
    let terminal = stderr().is_terminal();
    let usual = if terminal {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    };
    let builder = fmt().with_env_filter(filter).with_writer(stderr);
    match settings.log_format.unwrap_or(usual) {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .init(),
        LogFormat::Pretty => builder.with_ansi(terminal).init(),
    }
    Ok(())
}
