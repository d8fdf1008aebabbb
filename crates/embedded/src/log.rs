//! What a server wrote: shown when it fails, and kept from growing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::nofollow::{self, Folder};

const LINES: usize = 12;

/// So many of PostgreSQL's log files, of [`FILE_SIZE`] each, are kept.
const KEPT: usize = 4;

/// In PostgreSQL's notation.
pub(crate) const FILE_SIZE: &str = "10MB";

/// In PostgreSQL's notation; the names sort by age.
pub(crate) const FILE_NAME: &str = "postgres-%Y%m%d-%H%M%S.log";

/// The last lines of the files that were written `since` then, each indented.
pub(crate) fn tail(startup: &Path, folder: &Path, since: SystemTime) -> String {
    let newest = files(folder).pop();
    let fresh = |path: &PathBuf| {
        let changed = path.symlink_metadata().and_then(|there| there.modified());
        changed.is_ok_and(|changed| changed >= since)
    };
    let mut lines = Vec::new();
    for path in [Some(startup.to_owned()), newest.filter(fresh)]
        .into_iter()
        .flatten()
    {
        let text = nofollow::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        lines.extend(text.lines().map(|line| format!("  {line}")));
    }
    let skipped = lines.len().saturating_sub(LINES);
    lines.split_off(skipped).join("\n")
}

/// Removes all but the newest log files.
pub(crate) fn prune(folder: &Folder) {
    let mut old = files(folder.path());
    old.truncate(old.len().saturating_sub(KEPT));
    for name in old.iter().filter_map(|path| path.file_name()) {
        // A file that stays is tried again at the next round.
        drop(folder.remove(name));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("postgres-"))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_log_files_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for day in 1..=7 {
            fs::write(folder.path().join(format!("postgres-2026010{day}.log")), "").unwrap();
        }
        prune(&Folder::open(&folder.path().canonicalize().unwrap()).unwrap());
        let kept = files(folder.path());
        assert_eq!(kept.len(), KEPT);
        assert!(kept[0].ends_with("postgres-20260104.log"), "{kept:?}");
    }
}
