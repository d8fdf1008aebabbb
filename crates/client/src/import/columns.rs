//! What the columns of a file mean, and what its lines come to.

use super::{number, options::Options, time::TimeOptions};
use crate::{failure::Failure, sheet::Sheet};
use csv::StringRecord;
use domain::{Timestamp, decimal::ExactDecimal, reading::Metric};

/// Columns that are added to refused lines.
pub(super) const LINE: &str = "rejected_line";
pub(super) const REASON: &str = "rejected_reason";

/// A reading of a line.
#[derive(Debug)]
pub(super) struct LineReading {
    pub(super) metric: Metric,
    pub(super) value: ExactDecimal,
    pub(super) recorded_at: Timestamp,
}

/// What a line comes to.
#[derive(Debug)]
pub(super) enum Line {
    /// Readings of the device at this place of the sheet.
    Readings(usize, Vec<LineReading>),
    /// Another device's, and not to be imported.
    Skipped,
    /// No reading.
    Rejected(String),
}

/// Where the metric and value of a reading stand.
#[derive(Debug)]
enum Values {
    /// The metric in one column and the value in another.
    Long { metric: usize, value: usize },
    /// Values of one metric in a column.
    One { metric: Metric, value: usize },
    /// Values of each metric in a column of its own.
    Wide(Vec<(usize, Metric)>),
}

/// Whose readings they are.
#[derive(Debug)]
enum Devices {
    /// Of one device, whatever the file says.
    One(usize),
    /// Of the one device that the lines name; the first says which, where nobody has chosen one.
    Named {
        column: usize,
        only: Option<String>,
        is_chosen: bool,
    },
    /// As the lines say, of a sheet.
    Sheet { column: usize, only: Option<usize> },
}

/// How lines become readings.
#[derive(Debug)]
pub(super) struct Columns {
    devices: Devices,
    time: usize,
    values: Values,
    times: TimeOptions,
    decimal_comma: bool,
}

impl Columns {
    /// Finds the columns. Without a sheet there is one key, for the one device whose readings these are.
    pub(super) fn find(
        options: &Options,
        header: &StringRecord,
        sheet: Option<&Sheet>,
    ) -> Result<Self, Failure> {
        let file = &options.file;
        let place = |name: &str| header.iter().position(|cell| cell == name);
        let missing = |name: &str, hint: &str| {
            let there = header.iter().collect::<Vec<_>>().join(", ");
            Failure::file(
                file,
                format!("has no column {name}; it has {there}. See {hint}"),
            )
        };
        let find = |given: Option<&String>, usual: &[&str], hint: &str| match given {
            Some(name) => place(name).ok_or_else(|| missing(name, hint)),
            None => usual
                .iter()
                .find_map(|name| place(name))
                .ok_or_else(|| missing(&usual.join(" or "), hint)),
        };
        let time = find(
            options.time_column.as_ref(),
            &["recorded_at", "timestamp", "time"],
            "--time-column",
        )?;
        let device = options.device_column.as_ref();
        let device = match find(device, &["device_id", "device"], "--device-column") {
            Ok(column) => Some(column),
            Err(failure) if device.is_some() => return Err(failure),
            Err(_) => None,
        };
        let values = if options.wide {
            Values::Wide(wide(options, header, &[Some(time), device])?)
        } else {
            let value = find(
                options.value_column.as_ref(),
                &["value"],
                "--value-column and --wide",
            )?;
            match options.metric.clone() {
                Some(metric) => Values::One { metric, value },
                None => Values::Long {
                    metric: find(
                        options.metric_column.as_ref(),
                        &["metric"],
                        "--metric and --metric-column",
                    )?,
                    value,
                },
            }
        };
        Ok(Self {
            devices: devices(options, device, sheet)?,
            time,
            values,
            times: options.times(),
            decimal_comma: options.decimal_comma,
        })
    }

    /// What a line comes to.
    pub(super) fn read(&mut self, record: &StringRecord, sheet: Option<&Sheet>) -> Line {
        let device = match self.devices.of(record, sheet) {
            Ok(Some(device)) => device,
            Ok(None) => return Line::Skipped,
            Err(reason) => return Line::Rejected(reason),
        };
        match self.readings(record) {
            Ok(readings) => Line::Readings(device, readings),
            Err(reason) => Line::Rejected(reason),
        }
    }

    fn readings(&self, record: &StringRecord) -> Result<Vec<LineReading>, String> {
        let recorded_at = self.times.parse(cell(record, self.time))?;
        let reading = |metric: &Metric, text: &str| -> Result<LineReading, String> {
            Ok(LineReading {
                metric: metric.clone(),
                value: number::parse(text, self.decimal_comma)?,
                recorded_at,
            })
        };
        match &self.values {
            Values::One { metric, value } => Ok(vec![reading(metric, cell(record, *value))?]),
            Values::Long { metric, value } => {
                let name = cell(record, *metric);
                let metric = Metric::parse(name);
                let metric = metric.map_err(|error| format!("the metric {name:?} {error}"))?;
                Ok(vec![reading(&metric, cell(record, *value))?])
            }
            Values::Wide(metrics) => metrics
                .iter()
                .map(|(column, metric)| (metric, cell(record, *column)))
                .filter(|(_, text)| !text.is_empty())
                .map(|(metric, text)| {
                    reading(metric, text).map_err(|reason| format!("{}: {reason}", metric.as_str()))
                })
                .collect(),
        }
    }
}

impl Devices {
    /// Of which device a line is; of none that is to be imported.
    fn of(
        &mut self,
        record: &StringRecord,
        sheet: Option<&Sheet>,
    ) -> Result<Option<usize>, String> {
        match self {
            Self::One(device) => Ok(Some(*device)),
            Self::Named {
                column,
                only,
                is_chosen,
            } => {
                let name = cell(record, *column);
                let first = only.get_or_insert_with(|| name.to_owned());
                if name == first {
                    return Ok(Some(0));
                }
                if *is_chosen {
                    return Ok(None);
                }
                Err(format!(
                    "the device is {name:?}, and there is only the key of {first:?}: see --sheet and --device"
                ))
            }
            Self::Sheet { column, only } => {
                let name = cell(record, *column);
                let found = sheet.and_then(|sheet| sheet.find(name));
                match only {
                    Some(only) => Ok(found.filter(|it| it == only)),
                    None => found.map(Some).ok_or_else(|| {
                        format!("the device {name:?} is not in the sheet, or not alone")
                    }),
                }
            }
        }
    }
}

/// Whose readings they are, by the sheet or the one key.
fn devices(
    options: &Options,
    column: Option<usize>,
    sheet: Option<&Sheet>,
) -> Result<Devices, Failure> {
    let named = options.device.as_deref();
    let Some(sheet) = sheet else {
        // `--device` chooses lines by what stands in them: an id cannot be checked without the owner.
        return Ok(match column {
            Some(column) => Devices::Named {
                column,
                only: named.map(str::to_owned),
                is_chosen: named.is_some(),
            },
            None => Devices::One(0),
        });
    };
    let only = named.map(|name| {
        let missing = || {
            Failure::other(format!(
                "the device {name:?} is not in the sheet, or not alone"
            ))
        };
        sheet.find(name).ok_or_else(missing)
    });
    match (column, only.transpose()?) {
        (Some(column), only) => Ok(Devices::Sheet { column, only }),
        (None, Some(only)) => Ok(Devices::One(only)),
        (None, None) if sheet.devices.len() == 1 => Ok(Devices::One(0)),
        (None, None) => Err(Failure::other(
            "no column says of which device a line is: see --device and --device-column",
        )),
    }
}

/// The columns that are metrics.
fn wide(
    options: &Options,
    header: &StringRecord,
    others: &[Option<usize>],
) -> Result<Vec<(usize, Metric)>, Failure> {
    let is_wanted = |(place, name): &(usize, &str)| {
        let listed = options.columns.iter().any(|it| it == name);
        let is_ours = *name == LINE || *name == REASON;
        let is_other = others.contains(&Some(*place)) || is_ours;
        listed || (options.columns.is_empty() && !is_other)
    };
    let wanted: Vec<_> = header.iter().enumerate().filter(is_wanted).collect();
    if let Some(name) = options
        .columns
        .iter()
        .find(|name| !header.iter().any(|cell| cell == *name))
    {
        return Err(Failure::file(
            &options.file,
            format!("has no column {name}"),
        ));
    }
    let metrics = wanted.into_iter().map(|(place, name)| {
        let metric = Metric::parse(name).map_err(|error| {
            Failure::file(
                &options.file,
                format!("the column {name:?} is no metric, which {error}: see --columns"),
            )
        })?;
        Ok((place, metric))
    });
    metrics.collect()
}

fn cell(record: &StringRecord, column: usize) -> &str {
    record.get(column).unwrap_or_default().trim()
}
