//! The folder of a server: made, owned by the server's account, and closed to everyone else.

use std::fs::{self, DirBuilder, Metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::info;

use crate::EmbeddedError;
use crate::account::{Account, we_are_root};
use crate::nofollow::Folder;

/// Where root keeps servers whose wanted folder their account cannot reach.
const ELSEWHERE: &str = "/var/lib/readout";

/// The cluster's place in the folder.
pub(crate) const DATA: &str = "data";

/// Of PostgreSQL's log files.
pub(crate) const LOG: &str = "log";

/// What a server writes before it has another log.
pub(crate) const STARTUP_LOG: &str = "startup.log";

const SOCKET: &str = "socket";

/// How the name of a cluster begins that `initdb` is still making.
pub(crate) const UNFINISHED: &str = "data.new-";

pub(crate) const FOREIGN: &str =
    "it belongs to another account: start as that account, or choose another folder";

/// A socket's path must fit into `sun_path`: 108 bytes on Linux, 104 on macOS, with `/.s.PGSQL.65535.lock` in it.
const SOCKET_FOLDER_LIMIT: usize = 100 - "/.s.PGSQL.65535".len();

/// A folder that is ready for use, and the account that owns it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) account: Account,
}

impl Place {
    pub(crate) fn open(&self) -> Result<Folder, EmbeddedError> {
        Folder::open(&self.folder)
    }

    /// Makes a folder inside the account's own, mode 0700.
    pub(crate) fn claim_inside(&self, name: &str) -> Result<(), EmbeddedError> {
        let folder = self.open()?.made_inside(name)?;
        let owner = folder.metadata()?;
        if self.account.owns(&owner) || owner.uid() == 0 {
            return take_over(&folder, &self.account);
        }
        Err(EmbeddedError::folder(folder.path(), FOREIGN))
    }

    /// Writes a file that the server reads as its own account, whatever our umask.
    pub(crate) fn write_in(
        &self,
        folder: &Folder,
        name: &str,
        text: &str,
    ) -> Result<(), EmbeddedError> {
        let path = folder.path().join(name);
        let mut file = folder.fresh(name)?;
        let written = file.write_all(text.as_bytes());
        written.map_err(EmbeddedError::io("write", &path))?;
        self.account.give(&file, &path)
    }
}

/// Settles where the server lives: in the `wanted` folder, or, when its account cannot reach that, elsewhere.
///
/// A folder that holds a cluster is never left for an empty one: that would look like lost data.
pub(crate) fn settle(wanted: &Path, account: Option<Account>) -> Result<Place, EmbeddedError> {
    let wanted = absolute(wanted)?;
    let elsewhere = Path::new(ELSEWHERE).join(stable_hash(&wanted));
    let holds_cluster = |folder: &Path| folder.join(DATA).join("PG_VERSION").exists();
    if !we_are_root() || holds_cluster(&wanted) {
        return take(&wanted, account);
    }
    if !holds_cluster(&elsewhere) {
        let was_there = wanted.exists();
        match take(&wanted, account) {
            Ok(place) => return Ok(place),
            Err(link @ EmbeddedError::Link { .. }) => return Err(link),
            Err(reason) => info!(%reason, "the server's folder goes elsewhere"),
        }
        if !was_there {
            // It is empty, and stays so; not being able to remove it does no harm.
            drop(fs::remove_dir(&wanted));
        }
    }
    info!(wanted = %wanted.display(), real = %elsewhere.display(), "the server lives in another folder than wanted");
    take(&absolute(&elsewhere)?, account)
}

/// Readies the folder of a path without links in it.
fn take(wanted: &Path, account: Option<Account>) -> Result<Place, EmbeddedError> {
    let account = account.map_or_else(|| Account::choose(&wanted.join(DATA)), Ok)?;
    claim(wanted, &account)?;
    let data = wanted.join(DATA);
    if data.is_symlink() {
        return Err(EmbeddedError::Link { path: data });
    }
    if !account.can_use(wanted) {
        let reason = "the account that runs the server cannot reach or write it: \
                      open its parent folders (chmod o+x), or choose another folder";
        return Err(EmbeddedError::folder(wanted, reason));
    }
    let folder = wanted.to_owned();
    Ok(Place { folder, account })
}

/// Makes `folder` the account's own, mode 0700. One with other people's things in it is left alone.
fn claim(folder: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        // Another program may be starting here too; the lock decides later which of us goes on.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(EmbeddedError::io("create the folder", folder)(error))
        }
        Ok(()) | Err(_) => take_over(&Folder::open(folder)?, account),
    }
}

fn take_over(folder: &Folder, account: &Account) -> Result<(), EmbeddedError> {
    let there = folder.metadata()?;
    if account.owns(&there) && is_private(&there) {
        return Ok(());
    }
    if !(account.owns(&there) || we_are_root()) {
        return Err(EmbeddedError::folder(folder.path(), FOREIGN));
    }
    if !holds_only_ours(folder.path()) {
        let reason = "it holds other things: choose an empty folder or a new one";
        return Err(EmbeddedError::folder(folder.path(), reason));
    }
    close(folder, account)
}

fn close(folder: &Folder, account: &Account) -> Result<(), EmbeddedError> {
    folder.give(account)?;
    folder.set_mode(0o700)
}

fn holds_only_ours(folder: &Path) -> bool {
    let ours = [
        DATA,
        SOCKET,
        LOG,
        "lock",
        STARTUP_LOG,
        "pgbouncer.ini",
        "users.txt",
    ];
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().all(|entry| {
            let name = entry.file_name();
            ours.iter().any(|known| name == *known)
                || name.to_string_lossy().starts_with(UNFINISHED)
        })
    })
}

/// The folder for the sockets: inside `folder` where the path is short and plain enough for every client, else in /tmp.
pub(crate) fn socket_folder(place: &Place) -> Result<PathBuf, EmbeddedError> {
    let inside = place.folder.join(SOCKET);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let bytes = inside.as_os_str().as_bytes();
    if bytes.len() < SOCKET_FOLDER_LIMIT && bytes.iter().all(plain) {
        place.claim_inside(SOCKET)?;
        return Ok(inside);
    }
    let outside = Path::new("/tmp").join(format!("readout-{}", stable_hash(&place.folder)));
    claim_in_public(&outside, &place.account)?;
    Ok(outside)
}

/// In /tmp anyone may have made the name before us, so what is there is only looked at, never changed.
fn claim_in_public(folder: &Path, account: &Account) -> Result<(), EmbeddedError> {
    let mut builder = DirBuilder::new();
    if builder.mode(0o700).create(folder).is_ok() {
        return close(&Folder::just_made(folder)?, account);
    }
    let there = fs::symlink_metadata(folder).map_err(EmbeddedError::io("look at", folder))?;
    if there.is_dir() && account.owns(&there) && is_private(&there) {
        return Ok(());
    }
    let reason = "someone else made it (the sockets go there, as the path of the data folder is too long): remove it";
    Err(EmbeddedError::folder(folder, reason))
}

/// The absolute path, its parents made, without symbolic links on the way: one folder has one name.
fn absolute(wanted: &Path) -> Result<PathBuf, EmbeddedError> {
    let path = std::path::absolute(wanted).map_err(EmbeddedError::io("find", wanted))?;
    refuse_foreign_links(&path)?;
    make_parents(&path)?;
    if let Ok(there) = path.canonicalize() {
        return Ok(there);
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => parent
            .canonicalize()
            .map(|parent| parent.join(name))
            .map_err(EmbeddedError::io("find", parent)),
        _ => Ok(path),
    }
}

/// Root does not let another account's link choose the folder that it gives away; links of root's own are fine.
fn refuse_foreign_links(path: &Path) -> Result<(), EmbeddedError> {
    let is_foreign = |path: &&Path| {
        let there = fs::symlink_metadata(path);
        there.is_ok_and(|there| there.is_symlink() && there.uid() != 0)
    };
    match path.ancestors().find(is_foreign).filter(|_| we_are_root()) {
        Some(link) => {
            let path = link.to_owned();
            Err(EmbeddedError::Link { path })
        }
        None => Ok(()),
    }
}

/// Makes the missing parents; root's are open for the server's account to pass through, whatever the umask.
fn make_parents(path: &Path) -> Result<(), EmbeddedError> {
    let Some(parent) = path.parent().filter(|parent| !parent.exists()) else {
        return Ok(());
    };
    make_parents(parent)?;
    match fs::create_dir(parent) {
        Ok(()) if we_are_root() => Folder::just_made(parent)?.set_mode(0o755),
        Err(_) if parent.is_dir() => Ok(()),
        made => made.map_err(EmbeddedError::io("create the folder", parent)),
    }
}

fn is_private(there: &Metadata) -> bool {
    there.permissions().mode() & 0o777 == 0o700
}

/// FNV-1a: the same for the same path in every version of this program, which std's hashers do not promise.
fn stable_hash(path: &Path) -> String {
    let hash = path.as_os_str().as_bytes().iter();
    let hash = hash.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_path_never_changes() {
        assert_eq!(stable_hash(Path::new("")), "cbf29ce484222325");
        assert_eq!(stable_hash(Path::new("a")), "af63dc4c8601ec8c");
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), "dear").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let refused = settle_here(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("other things"), "{refused}");
        assert_eq!(
            fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777,
            0o755
        );
    }

    fn settle_here(folder: &Path) -> Result<Place, EmbeddedError> {
        take(&absolute(folder)?, None)
    }
}
