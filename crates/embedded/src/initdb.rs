//! Making the cluster, so that a half-made one is never taken for real.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tracing::info;

use crate::binaries::Binaries;
use crate::console::output;
use crate::folder::{DATA, Place, UNFINISHED};
use crate::{EmbeddedError, SUPERUSER};

/// The second is for systems without the first, such as macOS.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Makes the cluster of this place unless it is there: under another name, which is changed when it is complete.
pub(crate) fn make_once(place: &Place, binaries: &Binaries) -> Result<(), EmbeddedError> {
    remove_unfinished(&place.folder);
    let data = place.folder.join(DATA);
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    info!(folder = %data.display(), major = binaries.major(), "making a PostgreSQL cluster");
    let random = getrandom::u64().map_err(|error| EmbeddedError::Io {
        action: "get a random number".to_owned(),
        source: io::Error::other(error.to_string()),
    })?;
    let unfinished = place.folder.join(format!("{UNFINISHED}{random:016x}"));
    make(place, binaries, &unfinished)?;
    // This fails when something else is there under that name, and replaces nothing but an empty folder.
    fs::rename(&unfinished, &data).map_err(EmbeddedError::io("put the new cluster at", &data))?;
    File::open(&place.folder)
        .and_then(|folder| folder.sync_all())
        .map_err(EmbeddedError::io("write", &place.folder))
}

fn make(place: &Place, binaries: &Binaries, target: &Path) -> Result<(), EmbeddedError> {
    let mut made = Err(EmbeddedError::PostgresMissing);
    for locale in LOCALES {
        // Trust is enough: the folders of the data and of the socket are closed to every other account.
        let mut initdb = place.account.command(binaries.program("initdb"));
        initdb
            .args(["--auth=trust", "--data-checksums", "--encoding=UTF8"])
            .args(["--username", SUPERUSER, "--locale", locale, "-D"])
            .arg(target);
        made = output(initdb, "initdb").map(drop);
        match &made {
            Err(EmbeddedError::Program { message, .. }) if message.contains("locale") => {}
            _ => break,
        }
    }
    made
}

/// An `initdb` that was killed leaves its folder behind.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if unfinished && fs::remove_dir_all(entry.path()).is_ok() {
            info!(folder = %entry.path().display(), "removed a cluster that was never finished");
        }
    }
}
