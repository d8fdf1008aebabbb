//! The account that the servers run as: ourselves, or an unprivileged one when we are root.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, User, geteuid};

use crate::EmbeddedError;

/// Asked in this order when we are root.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Who the servers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    uid: Uid,
    /// Set only when it is not ourselves.
    switch_to: Option<Gid>,
}

impl Account {
    /// The account for servers on `data`: PostgreSQL refuses root, and wants to be the owner of what is there already.
    pub(crate) fn choose(data: &Path) -> Result<Self, EmbeddedError> {
        if !we_are_root() {
            return Ok(Self {
                uid: geteuid(),
                switch_to: None,
            });
        }
        let owner = data
            .symlink_metadata()
            .ok()
            .filter(|owner| owner.uid() != 0);
        if let Some(owner) = owner {
            return Ok(Self::other(owner.uid().into(), owner.gid().into()));
        }
        let known = UNPRIVILEGED
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten());
        known
            .map(|user| Self::other(user.uid, user.gid))
            .ok_or(EmbeddedError::AccountMissing)
    }

    fn other(uid: Uid, gid: Gid) -> Self {
        Self {
            uid,
            switch_to: Some(gid),
        }
    }

    pub(crate) fn owns(&self, owned: &std::fs::Metadata) -> bool {
        owned.uid() == self.uid.as_raw()
    }

    /// Makes the account the owner of what is open in `file`; `path` names it in an error.
    pub(crate) fn give(&self, file: &File, path: &Path) -> Result<(), EmbeddedError> {
        let Some(gid) = self.switch_to else {
            return Ok(());
        };
        fchown(file, Some(self.uid.as_raw()), Some(gid.as_raw()))
            .map_err(EmbeddedError::io("change the owner of", path))
    }

    /// A command that runs as this account, in a clean environment: `PGHOST` and its like would lead it astray.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = plain_command(program);
        if let Some(gid) = self.switch_to {
            command.uid(self.uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Whether the account can really enter and write `folder`: a parent such as `/root` may be closed to it.
    pub(crate) fn can_use(&self, folder: &Path) -> bool {
        let mut probe = self.command("/bin/sh");
        probe.args(["-c", "cd -- \"$1\" && test -w .", "sh"]);
        probe
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    }
}

/// A command that runs as ourselves, in a clean environment.
pub(crate) fn plain_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C");
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

pub(crate) fn we_are_root() -> bool {
    geteuid().is_root()
}
