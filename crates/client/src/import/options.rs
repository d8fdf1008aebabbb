//! The options of `readout import`.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use super::time::{Ambiguous, TimeOptions};
use crate::service::Service;
use chrono_tz::Tz;
use clap::{Args, ValueEnum, value_parser};
use domain::reading::{Metric, Precision};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Keys of devices, from the environment or a file, so that nobody can list them with `ps`:
  READOUT_DEVICE_KEY   the key of the one device whose readings these are (or --device-key-file)
  --sheet              several devices: a CSV file with the columns device_id or name, and device_key

Examples:
  readout import log.csv                                       device,metric,recorded_at,value
  readout import oven.csv --metric temperature --time-column timestamp --timezone Europe/Berlin
  readout import weather.csv --wide --precision s              one column a metric, times since 1970

Exit code: 0 everything is stored, 3 some lines were rejected, 1 it failed and can be resumed,
130 it was stopped and can be resumed.";

/// Import readings from a CSV file into a running Readout
///
/// Posts the file in batches as the devices themselves would, in the order of its lines, several devices at once.
/// Values are kept digit by digit. What was imported is noted beside the file, so that the same command goes on where it
/// was interrupted; importing a line twice is harmless. Lines that are refused go to FILE.rejected.csv with the reason,
/// in a form that can be corrected and imported again.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// File to import; its first line names the columns
    #[arg(value_name = "FILE.csv")]
    pub(super) file: PathBuf,

    #[command(flatten)]
    pub(super) service: Service,

    /// Import only the readings of this device; where the file names none, all are of it
    #[arg(long, value_name = "ID|NAME")]
    pub(super) device: Option<String>,

    /// File with the key of the one device whose readings these are [default: READOUT_DEVICE_KEY]
    #[arg(long, value_name = "FILE", conflicts_with = "sheet")]
    pub(super) device_key_file: Option<PathBuf>,

    /// Provisioning sheet with the keys of several devices
    #[arg(long, value_name = "FILE")]
    pub(super) sheet: Option<PathBuf>,

    /// Column with the id or name of the device [default: device_id or device]
    #[arg(long, value_name = "NAME")]
    pub(super) device_column: Option<String>,

    /// Column with the metric [default: metric]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["metric", "wide"])]
    pub(super) metric_column: Option<String>,

    /// Column with the time [default: recorded_at, timestamp or time]
    #[arg(long, value_name = "NAME")]
    pub(super) time_column: Option<String>,

    /// Column with the value [default: value]
    #[arg(long, value_name = "NAME", conflicts_with = "wide")]
    pub(super) value_column: Option<String>,

    /// All readings are of this metric
    #[arg(long, value_name = "METRIC", value_parser = Metric::parse, conflicts_with = "wide")]
    pub(super) metric: Option<Metric>,

    /// One column a metric: every other column is named like its metric, and an empty cell is no reading
    #[arg(long)]
    pub(super) wide: bool,

    /// With --wide, only these columns
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "wide")]
    pub(super) columns: Vec<String>,

    /// Times are numbers of this unit since 1970
    #[arg(long, value_name = "UNIT", value_enum, conflicts_with_all = ["time_format", "timezone"])]
    precision: Option<Unit>,

    /// Times are written like this (strftime), such as '%d.%m.%Y %H:%M:%S'
    #[arg(long, value_name = "FORMAT")]
    time_format: Option<String>,

    /// Times without an offset are of this IANA time zone, such as Europe/Berlin or UTC
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    timezone: Option<Tz>,

    /// Which of the two a local time is that happens twice when clocks go back
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Ambiguous::Reject)]
    ambiguous: Ambiguous,

    /// What stands between two cells
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    pub(super) delimiter: u8,

    /// Values have a comma for the decimal point
    #[arg(long)]
    pub(super) decimal_comma: bool,

    /// Most devices that post at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u16).range(1..=64))]
    pub(super) parallel: u16,

    /// Begin anew, and forget what was imported before
    #[arg(long)]
    pub(super) restart: bool,

    /// File for the lines that are refused [default: FILE.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
}

/// The unit of times that are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
}

impl Options {
    /// How times are written.
    pub(super) fn times(&self) -> TimeOptions {
        TimeOptions {
            precision: self.precision.map(|unit| match unit {
                Unit::S => Precision::Seconds,
                Unit::Ms => Precision::Millis,
                Unit::Us => Precision::Micros,
                Unit::Ns => Precision::Nanos,
            }),
            format: self.time_format.clone(),
            zone: self.timezone,
            ambiguous: self.ambiguous,
        }
    }

    /// Where refused lines go.
    pub(super) fn rejected(&self) -> PathBuf {
        self.rejected.clone().unwrap_or_else(|| {
            let name = self.file.with_extension("");
            beside(&name, ".rejected.csv")
        })
    }

    /// Where it is noted how far the import is.
    pub(super) fn state(&self) -> PathBuf {
        beside(&self.file, ".import")
    }

    /// Everything that decides what a line becomes: an import is only gone on with by the same.
    pub(super) fn mapping(&self) -> String {
        let Self {
            device,
            device_column,
            metric_column,
            time_column,
            value_column,
            metric,
            wide,
            columns,
            precision,
            time_format,
            timezone,
            ambiguous,
            delimiter,
            decimal_comma,
            ..
        } = self;
        let url = &self.service.url.text;
        let names = (
            device,
            device_column,
            metric_column,
            time_column,
            value_column,
        );
        let times = (precision, time_format, timezone, ambiguous);
        format!(
            "{url} {names:?} {metric:?} {wide} {columns:?} {times:?} {delimiter} {decimal_comma}"
        )
    }
}

/// The path with something at its end.
fn beside(path: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn zone(name: &str) -> Result<Tz, &'static str> {
    let wanted = "must be the IANA name of a time zone, such as Europe/Berlin or UTC";
    name.parse().map_err(|_| wanted)
}

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && *byte != b'"' => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err("must be one character, such as ; or \\t"),
    }
}
