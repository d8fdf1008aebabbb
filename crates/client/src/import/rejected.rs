//! The file of lines that were refused, each with its reason.

use super::{
    chunk::Rejected,
    columns::{LINE, REASON},
};
use crate::failure::{AtPath, Failure};
use csv::{StringRecord, WriterBuilder};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::PathBuf,
};

/// The file; it is there only if there is something in it.
#[derive(Debug)]
pub(super) struct RejectedFile {
    path: PathBuf,
    header: StringRecord,
    delimiter: u8,
    bytes: u64,
}

impl RejectedFile {
    /// Begins it anew, or goes on after so many bytes of it.
    pub(super) fn open(
        path: PathBuf,
        header: &StringRecord,
        delimiter: u8,
        bytes: u64,
    ) -> Result<Self, Failure> {
        if bytes == 0 {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Failure::file(&path, error));
                }
                Ok(()) | Err(_) => {}
            }
        } else {
            // What was written after the last note is going to be written again.
            let file = OpenOptions::new().write(true).open(&path).at(&path)?;
            if file.metadata().at(&path)?.len() < bytes {
                return Err(Failure::file(&path, "has become shorter: see --restart"));
            }
            file.set_len(bytes).at(&path)?;
        }
        Ok(Self {
            path,
            header: header.clone(),
            delimiter,
            bytes,
        })
    }

    /// Adds lines, and answers how long it is now.
    pub(super) fn add(&mut self, lines: &[Rejected]) -> Result<u64, Failure> {
        if lines.is_empty() {
            return Ok(self.bytes);
        }
        let mut writer = WriterBuilder::new()
            .delimiter(self.delimiter)
            .flexible(true)
            .from_writer(Vec::new());
        let broken = |error: &dyn std::fmt::Display| Failure::file(&self.path, error);
        if self.bytes == 0 {
            let names = self.kept().filter_map(|column| self.header.get(column));
            let names = names.chain([LINE, REASON]);
            writer.write_record(names).map_err(|error| broken(&error))?;
        }
        for Rejected {
            line,
            record,
            reason,
        } in lines
        {
            let line = line.to_string();
            let cells = self
                .kept()
                .map(|column| record.get(column).unwrap_or_default());
            // What stands beyond the last column is kept where nothing reads it.
            let beyond = record.iter().skip(self.header.len());
            let cells = cells.chain([line.as_str(), reason]).chain(beyond);
            writer.write_record(cells).map_err(|error| broken(&error))?;
        }
        let text = writer.into_inner().map_err(|error| broken(&error))?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .at(&self.path)?;
        file.write_all(&text).at(&self.path)?;
        self.bytes += u64::try_from(text.len()).unwrap_or_default();
        Ok(self.bytes)
    }

    /// The columns but for our own, which are there where refused lines are imported again.
    fn kept(&self) -> impl Iterator<Item = usize> {
        let is_kept = |name: &str| name != LINE && name != REASON;
        let columns = self.header.iter().enumerate();
        columns.filter_map(move |(column, name)| is_kept(name).then_some(column))
    }
}
