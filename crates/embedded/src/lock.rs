//! One program per folder: a lock that the kernel drops when its holder dies, however it dies.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::EmbeddedError;
use crate::nofollow::Folder;

/// A holder that is about to leave gets this long, so that a quick restart succeeds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Held as long as this lives. Children do not inherit it (the file is closed on exec).
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(crate) fn take(folder: &Path) -> Result<Self, EmbeddedError> {
        let path = folder.join("lock");
        let mut file = Folder::open(folder)?.kept("lock")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => return Err(refusal(&mut file, folder)),
                Err(TryLockError::Error(error)) => {
                    return Err(EmbeddedError::io("lock", &path)(error));
                }
            }
        }
        let signed = file
            .set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()));
        signed.map_err(EmbeddedError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

fn refusal(file: &mut File, folder: &Path) -> EmbeddedError {
    let mut holder = String::new();
    // Unreadable is no reason for another error: the folder is in use all the same.
    let read = file
        .rewind()
        .and_then(|()| file.read_to_string(&mut holder));
    if read.is_err() || holder.is_empty() {
        "unknown".clone_into(&mut holder);
    }
    EmbeddedError::Locked {
        folder: folder.to_owned(),
        holder,
    }
}
