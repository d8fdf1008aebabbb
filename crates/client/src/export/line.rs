//! Lines: as they are streamed, and as they are written.

use super::options::Format;
use domain::{Timestamp, device::DeviceId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{collections::HashSet, fmt::Write};

/// The names of the columns.
pub(super) const HEADER: &str = "device_id,metric,recorded_at,value\n";

/// A line as it is streamed: `metric,recorded_at,value`. None of them ever has quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) metric: &'a str,
    pub(super) recorded_at: &'a str,
    pub(super) value: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Object<'a> {
    device_id: DeviceId,
    metric: &'a str,
    recorded_at: &'a str,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl<'a> Line<'a> {
    /// Reads a line; none if it is no reading.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut fields = text.trim_end().split(',');
        let line = Self {
            metric: fields.next()?,
            recorded_at: fields.next()?,
            value: fields.next()?,
        };
        let is_whole = fields.next().is_none() && line.recorded_at.parse::<Timestamp>().is_ok();
        is_whole.then_some(line)
    }

    /// Writes it, and of which device it is; answers false if the value is no number.
    pub(super) fn write(&self, text: &mut String, device: DeviceId, format: Format) -> bool {
        let Self {
            metric,
            recorded_at,
            value,
        } = *self;
        match format {
            Format::Csv => writeln!(text, "{device},{metric},{recorded_at},{value}").is_ok(),
            Format::Ndjson => {
                let object = serde_json::from_str(value).ok().and_then(|value| {
                    let object = Object {
                        device_id: device,
                        metric,
                        recorded_at,
                        value,
                    };
                    serde_json::to_string(&object).ok()
                });
                let Some(object) = object else {
                    return false;
                };
                text.push_str(&object);
                text.push('\n');
                true
            }
        }
    }
}

/// Where an export is: everything up to this time, and these metrics at this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) device: DeviceId,
    pub(super) recorded_at: String,
    metrics: HashSet<String>,
}

impl Place {
    /// Whether a line of its device was written before, when a stream goes on with the time of the last one.
    pub(super) fn knows(&self, line: &Line<'_>) -> bool {
        line.recorded_at == self.recorded_at && self.metrics.contains(line.metric)
    }

    /// After one line more.
    pub(super) fn after(place: &mut Option<Self>, device: DeviceId, line: &Line<'_>) {
        match place {
            Some(place) if place.device == device && place.recorded_at == line.recorded_at => {
                place.metrics.insert(line.metric.to_owned());
            }
            Some(place) if place.device == device => {
                place.recorded_at.clear();
                place.recorded_at.push_str(line.recorded_at);
                place.metrics.clear();
                place.metrics.insert(line.metric.to_owned());
            }
            Some(_) | None => {
                *place = Some(Self {
                    device,
                    recorded_at: line.recorded_at.to_owned(),
                    metrics: HashSet::from([line.metric.to_owned()]),
                });
            }
        }
    }

    /// After all these written lines, of which only the last ones matter.
    pub(super) fn of(lines: &str, format: Format) -> Option<Self> {
        let mut place = None;
        for text in lines.lines() {
            match format {
                Format::Csv => {
                    if let Some((device, line)) = text.split_once(',')
                        && let (Ok(device), Some(line)) = (device.parse(), Line::read(line))
                    {
                        Self::after(&mut place, device, &line);
                    }
                }
                Format::Ndjson => {
                    if let Ok(object) = serde_json::from_str::<Object<'_>>(text) {
                        let line = Line {
                            metric: object.metric,
                            recorded_at: object.recorded_at,
                            value: object.value.get(),
                        };
                        Self::after(&mut place, object.device_id, &line);
                    }
                }
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01936e5a-0000-7000-8000-000000000001";

    #[test]
    fn a_line_is_written_digit_by_digit_in_either_form() {
        let line = Line::read("t,2026-01-01T00:00:00Z,-0.100\r\n").unwrap();
        let write = |format| {
            let mut text = String::new();
            assert!(line.write(&mut text, ID.parse().unwrap(), format));
            text
        };
        assert_eq!(
            write(Format::Csv),
            format!("{ID},t,2026-01-01T00:00:00Z,-0.100\n")
        );
        let object = r#","metric":"t","recorded_at":"2026-01-01T00:00:00Z","value":-0.100}"#;
        assert_eq!(
            write(Format::Ndjson),
            format!("{{\"device_id\":\"{ID}\"{object}\n")
        );
        for text in [
            "",
            "t,2026-01-01T00:00:00Z",
            "metric,recorded_at,value",
            "a,2026-01-01T00:00:00Z,1,2",
        ] {
            assert!(Line::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_place_is_found_again_in_what_was_written() {
        for format in [Format::Csv, Format::Ndjson] {
            let (mut text, mut place) = (String::new(), None);
            for line in [
                "t,2026-01-01T00:00:00Z,1",
                "t,2026-01-01T00:00:01Z,2",
                "u,2026-01-01T00:00:01Z,3",
            ] {
                let line = Line::read(line).unwrap();
                line.write(&mut text, ID.parse().unwrap(), format);
                Place::after(&mut place, ID.parse().unwrap(), &line);
            }
            assert_eq!(Place::of(&text, format), place);
            let place = place.unwrap();
            assert!(place.knows(&Line::read("t,2026-01-01T00:00:01Z,2").unwrap()));
            assert!(!place.knows(&Line::read("v,2026-01-01T00:00:01Z,2").unwrap()));
            assert!(!place.knows(&Line::read("t,2026-01-01T00:00:02Z,2").unwrap()));
        }
        assert_eq!(Place::of(HEADER, Format::Csv), None);
    }
}
