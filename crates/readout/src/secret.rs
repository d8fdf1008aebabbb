//! Settings that are secret, and the one that is made where none was given.

use crate::Failure;
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A setting that is not to be printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The text, for whoever must know it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The secret, if it is long enough not to be guessed.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, Failure> {
        if self.0.len() < 32 {
            let example = "for example from: openssl rand -hex 32";
            return Err(format!("{name} must have at least 32 bytes, {example}").into());
        }
        Ok(self.0.clone().into_bytes())
    }
}

/// Reads the secret that is kept in a folder, or makes one of 256 random bits that only we can read.
pub(crate) fn keep(folder: &Path) -> Result<Vec<u8>, Failure> {
    let path = folder.join("auth_secret");
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(&path)?,
        Err(error) => return Err(unreadable(&path, &error)),
        Ok(_) => {}
    }
    // Read again, since another process may have been the one that made it.
    let secret = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
    if secret.len() < 32 {
        return Err(format!("{} is too short for a secret: delete it", path.display()).into());
    }
    Ok(secret)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    format!("{} cannot be read: {error}", path.display()).into()
}

/// Puts a new secret in its place whole, unless there is one by then.
fn make(path: &Path) -> Result<(), Failure> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits)
        .map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let secret = domain::hex::encode(&bits);
    let half = path.with_extension(format!("{}.new", std::process::id()));
    // What a process of the same number left behind when it was killed.
    let _ = fs::remove_file(&half);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&half, path);
    fs::remove_file(&half)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_kept_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let secret = keep(folder.path()).unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(keep(folder.path()).unwrap(), secret);
        let mode = fs::metadata(folder.path().join("auth_secret"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.path().join("auth_secret"), "short").unwrap();
        assert!(keep(folder.path()).is_err());
    }
}
