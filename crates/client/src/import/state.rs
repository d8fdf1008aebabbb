//! How far an import is, noted beside the file.

use super::options::Options;
use crate::{
    failure::{AtPath, Failure},
    secret::write_private,
};
use csv::Position;
use domain::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) stored: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
    pub(super) skipped: u64,
}

/// How far an import is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    mapping: String,
    /// Where the next piece begins.
    byte: u64,
    line: u64,
    record: u64,
    /// Of everything before.
    sha256: String,
    /// Length of the file of refused lines.
    rejected_bytes: u64,
    counts: Counts,
}

/// An import that goes on, or begins.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    source: File,
    file: PathBuf,
    hash: Sha256,
    note: Note,
}

impl State {
    /// Finds out where to go on; at the beginning if there is no note, or it is to be forgotten.
    pub(super) fn open(options: &Options) -> Result<Self, Failure> {
        let (path, file) = (options.state(), options.file.clone());
        let mut state = Self {
            source: File::open(&file).at(&file)?,
            hash: Sha256::new(),
            note: Note {
                mapping: options.mapping(),
                ..Note::default()
            },
            path,
            file,
        };
        let note = match fs::read(&state.path) {
            Ok(_) if options.restart => return Ok(state),
            Ok(note) => note,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(state),
            Err(error) => return Err(Failure::file(&state.path, error)),
        };
        let note: Note = serde_json::from_slice(&note)
            .map_err(|_| Failure::file(&state.path, "is no note of an import: see --restart"))?;
        if note.mapping != state.note.mapping {
            let sentence = "is of an import with other options: repeat them, or see --restart";
            return Err(Failure::file(&state.path, sentence));
        }
        state.advance(note.byte)?;
        if state.sha256() != note.sha256 {
            let sentence = "has changed before where its import was interrupted: see --restart";
            return Err(Failure::file(&state.file, sentence));
        }
        state.note = note;
        Ok(state)
    }

    /// Where to go on; none at the beginning.
    pub(super) fn position(&self) -> Option<Position> {
        if self.note.byte == 0 {
            return None;
        }
        let mut position = Position::new();
        position
            .set_byte(self.note.byte)
            .set_line(self.note.line.max(1))
            .set_record(self.note.record);
        Some(position)
    }

    pub(super) fn counts(&self) -> Counts {
        self.note.counts
    }

    pub(super) fn rejected_bytes(&self) -> u64 {
        self.note.rejected_bytes
    }

    /// Notes that everything before a place is imported.
    pub(super) fn save(
        &mut self,
        end: &Position,
        counts: Counts,
        rejected_bytes: u64,
    ) -> Result<(), Failure> {
        self.advance(end.byte() - self.note.byte)?;
        self.note = Note {
            mapping: std::mem::take(&mut self.note.mapping),
            byte: end.byte(),
            line: end.line(),
            record: end.record(),
            sha256: self.sha256(),
            rejected_bytes,
            counts,
        };
        let text =
            serde_json::to_string(&self.note).map_err(|error| Failure::file(&self.path, error))?;
        write_private(&self.path, &text)
    }

    /// Forgets it all: the import is complete.
    pub(super) fn forget(self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::file(&self.path, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes so many bytes more into the checksum.
    fn advance(&mut self, bytes: u64) -> Result<(), Failure> {
        let (mut left, mut buffer) = (bytes, vec![0; 256 * 1024]);
        while left > 0 {
            let most = usize::try_from(left)
                .unwrap_or(buffer.len())
                .min(buffer.len());
            let room = buffer.get_mut(..most).unwrap_or_default();
            let read = self.source.read(room).at(&self.file)?;
            if read == 0 {
                return Err(Failure::file(
                    &self.file,
                    "has become shorter: see --restart",
                ));
            }
            self.hash.update(room.get(..read).unwrap_or_default());
            left -= u64::try_from(read).unwrap_or(left);
        }
        Ok(())
    }

    fn sha256(&self) -> String {
        hex::encode(&self.hash.clone().finalize())
    }
}
