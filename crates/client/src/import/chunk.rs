//! Reading a file piece by piece, on a thread of its own.

use super::{
    columns::{Columns, Line, LineReading},
    leash::{Leash, MAX_LINE},
};
use crate::{
    failure::{AtPath, Failure},
    sheet::Sheet,
};
use bytes::Bytes;
use chrono::SecondsFormat;
use csv::{ByteRecord, Position, Reader, ReaderBuilder, StringRecord};
use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt::Write,
    fs::File,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Most lines and readings of a piece.
const MAX_LINES: usize = 10_000;
const MAX_READINGS: usize = 50_000;

/// Most readings of a post; so many are always below a MiB.
const MAX_POST: usize = 5_000;

/// A line that was refused.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) line: u64,
    pub(super) record: StringRecord,
    pub(super) reason: String,
}

/// Readings of one device, as they are posted.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) lines: Bytes,
    /// Which record of the piece each reading is of.
    pub(super) records: Vec<usize>,
}

/// A piece of a file.
#[derive(Debug)]
pub(super) struct Chunk {
    /// By the place of the device in the sheet, in the order of the lines.
    pub(super) devices: BTreeMap<usize, Vec<Batch>>,
    /// The lines, each with its number.
    pub(super) records: Vec<(u64, StringRecord)>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) skipped: u64,
    pub(super) readings: usize,
    /// Where the next one begins.
    pub(super) end: Position,
}

/// The pieces of a file.
#[derive(Debug)]
pub(super) struct Chunks {
    path: PathBuf,
    reader: Reader<Leash>,
    allowed: Rc<Cell<u64>>,
    header: StringRecord,
}

impl Chunks {
    /// Opens a file, and reads its header.
    pub(super) fn open(path: &Path, delimiter: u8) -> Result<Self, Failure> {
        let file = File::open(path).at(path)?;
        if !file.metadata().at(path)?.is_file() {
            return Err(Failure::file(path, "is no file"));
        }
        let allowed = Rc::new(Cell::new(MAX_LINE));
        let leash = Leash::new(file, Rc::clone(&allowed));
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(leash);
        let header = reader
            .headers()
            .map_err(|error| Failure::file(path, error))?;
        let header: StringRecord = header.iter().map(str::trim).collect();
        Ok(Self {
            path: path.to_owned(),
            reader,
            allowed,
            header,
        })
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &StringRecord {
        &self.header
    }

    /// Goes on from here, when the columns know from the first line what it says of all.
    pub(super) fn seek(
        &mut self,
        position: Position,
        columns: &mut Columns,
        sheet: Option<&Sheet>,
    ) -> Result<(), Failure> {
        let mut first = StringRecord::new();
        let read = self.reader.read_record(&mut first);
        if read.map_err(|error| Failure::file(&self.path, error))? {
            columns.read(&first, sheet);
        }
        self.allowed.set(position.byte() + MAX_LINE);
        let sought = self.reader.seek(position);
        sought.map_err(|error| Failure::file(&self.path, error))
    }

    /// The next piece; none at the end.
    pub(super) fn next(
        &mut self,
        columns: &mut Columns,
        sheet: Option<&Sheet>,
    ) -> Result<Option<Chunk>, Failure> {
        let mut chunk = Chunk {
            devices: BTreeMap::new(),
            records: Vec::new(),
            rejected: Vec::new(),
            skipped: 0,
            readings: 0,
            end: Position::new(),
        };
        let mut pending: BTreeMap<usize, Vec<Pending>> = BTreeMap::new();
        let mut bytes = ByteRecord::new();
        while chunk.records.len() < MAX_LINES && chunk.readings < MAX_READINGS {
            self.allowed.set(self.reader.position().byte() + MAX_LINE);
            let is_there = self.reader.read_byte_record(&mut bytes);
            if !is_there.map_err(|error| Failure::file(&self.path, error))? {
                break;
            }
            let line = bytes.position().map_or(0, Position::line);
            let (record, complaint) = match StringRecord::from_byte_record(bytes.clone()) {
                Ok(record) if record.len() != self.header.len() => {
                    let complaint =
                        format!("has {} cells, and not {}", record.len(), self.header.len());
                    (record, Some(complaint))
                }
                Ok(record) => (record, None),
                Err(_) => {
                    let record = StringRecord::from_byte_record_lossy(bytes.clone());
                    (record, Some("is not UTF-8".to_owned()))
                }
            };
            let read = complaint.map_or_else(|| columns.read(&record, sheet), Line::Rejected);
            match read {
                Line::Readings(device, readings) => {
                    chunk.readings += readings.len();
                    let place = chunk.records.len();
                    for reading in &readings {
                        Pending::add(pending.entry(device).or_default(), reading, place);
                    }
                }
                Line::Skipped => chunk.skipped += 1,
                Line::Rejected(reason) => {
                    let record = record.clone();
                    chunk.rejected.push(Rejected {
                        line,
                        record,
                        reason,
                    });
                }
            }
            chunk.records.push((line, record));
        }
        chunk.end = self.reader.position().clone();
        let batches = |pending: Vec<Pending>| pending.into_iter().map(Batch::from).collect();
        chunk.devices = pending
            .into_iter()
            .map(|(device, it)| (device, batches(it)))
            .collect();
        Ok((!chunk.records.is_empty()).then_some(chunk))
    }
}

/// A post that is being written.
#[derive(Debug, Default)]
struct Pending {
    lines: String,
    records: Vec<usize>,
}

impl Pending {
    /// Adds a reading to the last post of a device, or begins another.
    fn add(posts: &mut Vec<Self>, reading: &LineReading, place: usize) {
        if posts
            .last()
            .is_none_or(|post| post.records.len() >= MAX_POST)
        {
            posts.push(Self::default());
        }
        let Some(post) = posts.last_mut() else {
            return;
        };
        let time = reading
            .recorded_at
            .to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let written = writeln!(
            post.lines,
            r#"{{"metric":"{}","value":{},"recorded_at":"{time}"}}"#,
            reading.metric.as_str(),
            reading.value,
        );
        // Writing to a string never fails.
        if written.is_ok() {
            post.records.push(place);
        }
    }
}

impl From<Pending> for Batch {
    fn from(Pending { lines, records }: Pending) -> Self {
        Self {
            lines: lines.into(),
            records,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Options;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn a_file_is_gone_on_with_as_it_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        let line = |n: usize| {
            let device = if n < MAX_LINES { "A" } else { "B" };
            format!("{device},t,2026-01-01T00:00:00Z,{n}\n")
        };
        let lines: String = (0..MAX_LINES + 2).map(line).collect();
        std::fs::write(&path, format!("device,metric,time,value\n{lines}")).unwrap();
        let options = Line::parse_from(["x", path.to_str().unwrap()]).options;
        let open = || {
            let chunks = Chunks::open(&path, b',').unwrap();
            let columns = Columns::find(&options, chunks.header(), None).unwrap();
            (chunks, columns)
        };
        let (mut chunks, mut columns) = open();
        let first = chunks.next(&mut columns, None).unwrap().unwrap();
        assert_eq!(
            (first.records.len(), first.readings),
            (MAX_LINES, MAX_LINES)
        );
        assert_eq!(first.devices[&0].len(), MAX_LINES / MAX_POST);
        // There is one key, and it is not that of the device of these lines.
        let (mut again, mut anew) = open();
        again.seek(first.end, &mut anew, None).unwrap();
        for (mut chunks, mut columns) in [(chunks, columns), (again, anew)] {
            let second = chunks.next(&mut columns, None).unwrap().unwrap();
            assert_eq!((second.readings, second.rejected.len()), (0, 2));
            assert_eq!(second.rejected[0].line, 10_002);
            assert!(chunks.next(&mut columns, None).unwrap().is_none());
        }
    }
}
