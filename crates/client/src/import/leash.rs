//! A bound on how much is read for one line.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    rc::Rc,
};

/// Longest line.
pub(super) const MAX_LINE: u64 = 4 * 1024 * 1024;

/// A file of which no more is read than a line may be long, so that a quote that is never closed does not fill the
/// memory with the rest of the file.
#[derive(Debug)]
pub(super) struct Leash {
    file: File,
    position: u64,
    /// How far may be read.
    allowed: Rc<Cell<u64>>,
}

impl Leash {
    /// At the beginning of a file.
    pub(super) fn new(file: File, allowed: Rc<Cell<u64>>) -> Self {
        Self {
            file,
            position: 0,
            allowed,
        }
    }
}

impl Read for Leash {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position > self.allowed.get() {
            return Err(io::Error::other(format!(
                "a line is longer than {} MiB: is a quote never closed?",
                MAX_LINE / 1024 / 1024
            )));
        }
        let read = self.file.read(buffer)?;
        self.position += u64::try_from(read).unwrap_or_default();
        Ok(read)
    }
}

impl Seek for Leash {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}
