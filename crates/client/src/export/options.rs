//! The options of `readout export`.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use crate::service::{CREDENTIALS, Service};
use clap::{Args, ValueEnum};
use domain::{Timestamp, reading::Metric};
use std::path::{Path, PathBuf};

/// Export readings of a running Readout to a file or a pipe
///
/// Streams the readings of one device after another, each by time of measurement, with every digit that was posted, as
/// lines of device_id, metric, recorded_at and value. A stream that is cut goes on from its last whole line. FILE appears
/// when it is complete; until then it is FILE.part, with which the same command goes on where it was interrupted.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = CREDENTIALS)]
pub struct Options {
    /// File to write, or - for a pipe
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: PathBuf,

    #[command(flatten)]
    pub(super) service: Service,

    /// Only this device; repeat it for several [default: all of yours]
    #[arg(long, value_name = "ID|NAME")]
    pub(super) device: Vec<String>,

    /// Only devices with this tag: site:north, or site for any value; repeat it for several, all of which must hold
    #[arg(long, value_name = "TAG", conflicts_with = "device")]
    pub(super) tag: Vec<String>,

    /// Only this metric; repeat it for several
    #[arg(long, value_name = "METRIC", value_parser = Metric::parse)]
    pub(super) metric: Vec<Metric>,

    /// First instant of the range, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) start: Option<Timestamp>,

    /// First instant after the range
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) end: Option<Timestamp>,

    /// Form of the lines [default: by the ending of FILE, else csv]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,

    /// Begin anew, and throw away what was exported before
    #[arg(long)]
    pub(super) restart: bool,
}

/// Form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// device_id,metric,recorded_at,value, with a header
    Csv,
    /// The same as JSON objects
    Ndjson,
}

impl Options {
    /// The form of the lines.
    pub(super) fn format(&self) -> Format {
        self.format.unwrap_or_else(|| {
            let ending = self.output.extension().and_then(|it| it.to_str());
            match ending {
                Some("ndjson" | "jsonl" | "json") => Format::Ndjson,
                Some(_) | None => Format::Csv,
            }
        })
    }

    /// Whether the output is a pipe.
    pub(super) fn is_pipe(&self) -> bool {
        self.output == Path::new("-")
    }

    /// Everything that decides what is exported: an export is only gone on with by the same.
    pub(super) fn question(&self) -> String {
        let url = &self.service.url.text;
        let devices = (&self.device, &self.tag, &self.metric);
        format!(
            "{url} {devices:?} {:?} {:?} {:?}",
            self.start,
            self.end,
            self.format()
        )
    }
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    let wanted = "must be an RFC 3339 time such as 2026-01-31T12:00:00Z";
    text.parse().map_err(|_| wanted)
}
