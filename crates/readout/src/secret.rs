//! The secret that signs access tokens, where none was given.

use crate::Failure;
use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Reads the secret that is kept in a folder, or makes one of 256 random bits that only we can read.
pub(crate) fn keep(folder: &Path) -> Result<Vec<u8>, Failure> {
    let path = folder.join("auth_secret");
    match fs::read(&path) {
        Ok(secret) if secret.len() >= 32 => return Ok(secret),
        Ok(_) => {
            return Err(format!("{} is too short for a secret: delete it", path.display()).into());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display()).into()),
    }
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits)
        .map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let secret = bits.iter().fold(String::new(), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    fs::create_dir_all(folder)?;
    // A half written file must never be taken for a secret.
    let half = folder.join(format!("auth_secret.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&half, &path)?;
    Ok(secret.into_bytes())
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
