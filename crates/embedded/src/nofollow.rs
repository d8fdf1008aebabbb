//! Files in folders that belong to another account, which may put links there to what only root may touch.
//!
//! A folder is opened once, and everything in it is then reached through that handle: no link is followed on the way,
//! and nobody can put another folder in its place between two steps.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::EmbeddedError;
use crate::account::{Account, we_are_root};
use crate::folder::FOREIGN;

const FOLDER: OFlag = OFlag::O_DIRECTORY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// A pipe in the place of a file must not make us wait for its other end.
const FILE: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    file: File,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder of an absolute path that has no link in it. Root makes sure of that, name by name.
    pub(crate) fn open(path: &Path) -> Result<Self, EmbeddedError> {
        if !we_are_root() {
            return Self::open_last(path);
        }
        let root = Path::new("/");
        let mut file = File::open(root).map_err(EmbeddedError::io("open", root))?;
        let mut way = root.to_owned();
        for name in path.components() {
            if let Component::Normal(name) = name {
                way.push(name);
                file = open_at(&file, name, FOLDER, 0).map_err(|error| no_folder(&way, error))?;
            }
        }
        Ok(Self { file, path: way })
    }

    /// Opens a folder that we have just made where others may be at work too: links on the way to it are followed.
    pub(crate) fn just_made(path: &Path) -> Result<Self, EmbeddedError> {
        let folder = Self::open_last(path)?;
        if folder.metadata()?.uid() == our_id() {
            return Ok(folder);
        }
        let reason = "another account has put something else in its place";
        Err(EmbeddedError::folder(path, reason))
    }

    fn open_last(path: &Path) -> Result<Self, EmbeddedError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(FOLDER.bits());
        let file = options.open(path).map_err(|error| no_folder(path, error))?;
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Opens a folder in this one.
    pub(crate) fn inside(&self, name: &str) -> Result<Self, EmbeddedError> {
        let path = self.path.join(name);
        let file = open_at(&self.file, name.as_ref(), FOLDER, 0);
        let file = file.map_err(|error| no_folder(&path, error))?;
        Ok(Self { file, path })
    }

    /// Opens a folder in this one, made if missing.
    pub(crate) fn made_inside(&self, name: &str) -> Result<Self, EmbeddedError> {
        match mkdirat(&self.file, name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => self.inside(name),
            Err(errno) => Err(self.failed("create the folder", name, errno)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn metadata(&self) -> Result<Metadata, EmbeddedError> {
        let there = self.file.metadata();
        there.map_err(EmbeddedError::io("look at", &self.path))
    }

    /// Makes the account its owner.
    pub(crate) fn give(&self, account: &Account) -> Result<(), EmbeddedError> {
        account.give(&self.file, &self.path)
    }

    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), EmbeddedError> {
        let set = self.file.set_permissions(Permissions::from_mode(mode));
        set.map_err(EmbeddedError::io("set the mode of", &self.path))
    }

    /// A new file for writing, in the place of one that an earlier run left.
    pub(crate) fn fresh(&self, name: &str) -> Result<File, EmbeddedError> {
        match self.is_link(name) {
            Ok(true) => return Err(self.link(name)),
            Ok(false) => self.remove(name)?,
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(self.failed("look at", name, errno)),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | FILE;
        let file = open_at(&self.file, name.as_ref(), flags, 0o600);
        file.map_err(EmbeddedError::io("create", &self.path.join(name)))
    }

    /// A file for reading and writing that stays from run to run; made if missing.
    pub(crate) fn kept(&self, name: &str) -> Result<File, EmbeddedError> {
        self.plain(name, OFlag::O_RDWR | OFlag::O_CREAT)
    }

    /// The text of a file.
    pub(crate) fn read(&self, name: &str) -> Result<String, EmbeddedError> {
        let mut text = String::new();
        let read = self.plain(name, OFlag::O_RDONLY)?.read_to_string(&mut text);
        read.map_err(EmbeddedError::io("read", &self.path.join(name)))?;
        Ok(text)
    }

    fn plain(&self, name: &str, flags: OFlag) -> Result<File, EmbeddedError> {
        let file = match open_at(&self.file, name.as_ref(), flags | FILE, 0o600) {
            Err(_) if self.is_link(name) == Ok(true) => return Err(self.link(name)),
            opened => opened.and_then(plain),
        };
        file.map_err(EmbeddedError::io("open", &self.path.join(name)))
    }

    /// Gives a file in this folder another name, in the place of what has that name.
    pub(crate) fn rename(&self, name: &str, new: &str) -> Result<(), EmbeddedError> {
        let renamed = renameat(&self.file, name, &self.file, new);
        renamed.map_err(|errno| self.failed("write", new, errno))
    }

    /// Removes a file; of a link, the link itself.
    pub(crate) fn remove(&self, name: impl AsRef<OsStr>) -> Result<(), EmbeddedError> {
        let name = name.as_ref();
        let removed = unlinkat(&self.file, name, UnlinkatFlags::NoRemoveDir);
        removed.map_err(|errno| self.failed("remove", name, errno))
    }

    fn is_link(&self, name: &str) -> nix::Result<bool> {
        let there = fstatat(&self.file, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        Ok(SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK)
    }

    fn link(&self, name: &str) -> EmbeddedError {
        let path = self.path.join(name);
        EmbeddedError::Link { path }
    }

    fn failed(&self, action: &str, name: impl AsRef<Path>, errno: Errno) -> EmbeddedError {
        EmbeddedError::io(action, &self.path.join(name))(errno.into())
    }
}

/// What is in a file whose path does not end in a link.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(FILE.bits()).open(path);
    let mut content = Vec::new();
    file.and_then(plain)?.read_to_end(&mut content)?;
    Ok(content)
}

fn open_at(folder: &File, name: &OsStr, flags: OFlag, mode: u16) -> io::Result<File> {
    let file = openat(folder, name, flags, Mode::from_bits_truncate(mode.into()))?;
    Ok(file.into())
}

/// Refuses pipes and the like, and files with a second name: that one may be outside.
fn plain(file: File) -> io::Result<File> {
    let there = file.metadata()?;
    if there.is_file() && there.nlink() == 1 {
        return Ok(file);
    }
    let reason = "it is not a plain file with a single name";
    Err(io::Error::new(ErrorKind::InvalidInput, reason))
}

fn our_id() -> u32 {
    geteuid().as_raw()
}

/// Why something could not be opened as a folder.
fn no_folder(path: &Path, error: io::Error) -> EmbeddedError {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            let path = path.to_owned();
            EmbeddedError::Link { path }
        }
        Ok(there) if !there.is_dir() => EmbeddedError::folder(path, "it is no folder"),
        Ok(there) if error.kind() == ErrorKind::PermissionDenied && there.uid() != our_id() => {
            EmbeddedError::folder(path, FOREIGN)
        }
        Ok(_) | Err(_) => EmbeddedError::io("open", path)(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_with_a_second_name_is_replaced_but_never_written_or_read() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().canonicalize().unwrap()).unwrap();
        let victim = temporary.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        fs::hard_link(&victim, temporary.path().join("twin")).unwrap();
        let refused = folder.kept("twin").unwrap_err().to_string();
        assert!(refused.contains("single name"), "{refused}");
        assert!(folder.read("twin").is_err() && read(&victim).is_err());
        fs::write(temporary.path().join("alone"), "a word").unwrap();
        assert_eq!(folder.read("alone").unwrap(), "a word");
        folder.fresh("twin").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_link_is_neither_written_nor_read_nor_entered() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().canonicalize().unwrap()).unwrap();
        let target = temporary.path().join("target");
        symlink(&target, temporary.path().join("link")).unwrap();
        let is_link = |error| matches!(error, EmbeddedError::Link { .. });
        assert!(is_link(folder.fresh("link").unwrap_err()));
        assert!(is_link(folder.kept("link").unwrap_err()));
        assert!(is_link(folder.read("link").unwrap_err()));
        assert!(is_link(folder.made_inside("link").unwrap_err()));
        assert!(!target.exists());
        fs::create_dir(&target).unwrap();
        assert!(is_link(folder.made_inside("link").unwrap_err()));
        assert!(is_link(
            Folder::open(&folder.path.join("link")).unwrap_err()
        ));
        if we_are_root() {
            fs::create_dir(target.join("below")).unwrap();
            let below = folder.path.join("link/below");
            assert!(is_link(Folder::open(&below).unwrap_err()));
        }
    }

    #[test]
    fn a_pipe_is_refused_at_once() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().canonicalize().unwrap()).unwrap();
        nix::unistd::mkfifo(&temporary.path().join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(folder.read("pipe").is_err() && folder.kept("pipe").is_err());
        assert!(read(&temporary.path().join("pipe")).is_err());
    }
}
