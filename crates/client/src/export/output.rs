//! Where an export goes: a pipe, or a file that appears when it is complete.

use super::{
    line::{HEADER, Place},
    options::{Format, Options},
};
use crate::{
    failure::{AtPath, Failure},
    secret::write_private,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Stdout, Write, stdout},
    path::PathBuf,
};

/// In so many bytes at the end of a file are all lines of its last time: a thousand metrics of a device.
const TAIL: u64 = 1024 * 1024;

/// The output.
#[derive(Debug)]
pub(super) enum Output {
    Pipe(Stdout),
    Part(Part),
}

/// A file that is not complete.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    /// Says what the question was.
    note: PathBuf,
    complete: PathBuf,
}

/// Nobody reads the pipe any more.
#[derive(Debug)]
pub(super) struct Unread;

impl Output {
    /// Opens it, and finds out where to go on.
    pub(super) fn open(options: &Options) -> Result<(Self, Option<Place>), Failure> {
        let format = options.format();
        if options.is_pipe() {
            let mut output = Self::Pipe(stdout());
            if format == Format::Csv {
                // If nobody reads it, the first line after it is going to tell.
                let _ = output.write(HEADER)?;
            }
            return Ok((output, None));
        }
        let beside = |ending: &str| {
            let mut name = options.output.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let (path, note) = (beside(".part"), beside(".part.export"));
        let question = options.question();
        let known = if options.restart { None } else { read(&note)? };
        let is_old = path.exists() && !options.restart;
        if is_old && known.as_ref().is_none_or(|known| *known != question) {
            let sentence = "is of an export with other options: repeat them, or see --restart";
            return Err(Failure::file(&path, sentence));
        }
        write_private(&note, &question)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(!is_old)
            .open(&path)
            .at(&path)?;
        let mut part = Part {
            file,
            path,
            note,
            complete: options.output.clone(),
        };
        let place = part.resume(format)?;
        Ok((Self::Part(part), place))
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &str) -> Result<Result<(), Unread>, Failure> {
        match self {
            Self::Pipe(pipe) => {
                let written = pipe.write_all(lines.as_bytes()).and_then(|()| pipe.flush());
                match written {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Err(Unread)),
                    Err(error) => Err(Failure::other(format!(
                        "the output cannot be written: {error}"
                    ))),
                    Ok(()) => Ok(Ok(())),
                }
            }
            Self::Part(part) => {
                part.file.write_all(lines.as_bytes()).at(&part.path)?;
                Ok(Ok(()))
            }
        }
    }

    /// Has the file appear under its name.
    pub(super) fn complete(self) -> Result<(), Failure> {
        let Self::Part(part) = self else {
            return Ok(());
        };
        part.file.sync_all().at(&part.path)?;
        fs::rename(&part.path, &part.complete).at(&part.complete)?;
        fs::remove_file(&part.note).at(&part.note)
    }
}

impl Output {
    /// Leaves nothing behind of an export that has not begun.
    pub(super) fn discard(self) {
        if let Self::Part(part) = self {
            // What cannot be removed now is overwritten by the next one.
            for path in [part.path, part.note] {
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Part {
    /// Cuts off a line that is not whole, and finds the place after the last one that is.
    fn resume(&mut self, format: Format) -> Result<Option<Place>, Failure> {
        let length = self.file.metadata().at(&self.path)?.len();
        let from = length.saturating_sub(TAIL);
        let tail = self.tail(from).at(&self.path)?;
        let end = tail
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let whole = tail.get(..end).unwrap_or_default();
        let keep = from + u64::try_from(end).unwrap_or_default();
        self.file.set_len(keep).at(&self.path)?;
        self.file.seek(SeekFrom::End(0)).at(&self.path)?;
        if keep == 0 && format == Format::Csv {
            self.file.write_all(HEADER.as_bytes()).at(&self.path)?;
        }
        Ok(Place::of(&String::from_utf8_lossy(whole), format))
    }

    fn tail(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        self.file.read_to_end(&mut tail)?;
        Ok(tail)
    }
}

/// What a note says, if it is there.
fn read(note: &std::path::Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(note) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file(note, error)),
    }
}
