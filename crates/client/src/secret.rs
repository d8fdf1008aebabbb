//! Secrets of the tools: from the environment or from files, and never from the command line, which everyone on
//! the machine can list.

use crate::failure::{AtPath, Failure};
use domain::{device::DeviceKey, hex};
use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A text that is not to be printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Takes what can go into a header: visible ASCII, and blanks within.
    fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Failure::other(format!(
                "{name} has characters that no token or key has"
            )))
        }
    }

    /// The text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A variable of the environment, any text; one that is empty is none.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Failure> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    value
        .map(|value| {
            value
                .into_string()
                .map_err(|_| Failure::other(format!("{name} is not UTF-8")))
        })
        .transpose()
}

/// A token in a variable of the environment.
pub(crate) fn token(name: &str) -> Result<Option<Secret>, Failure> {
    variable(name)?
        .map(|text| Secret::parse(name, text.trim()))
        .transpose()
}

/// The key of a device: in a file, or else in `READOUT_DEVICE_KEY`.
pub(crate) fn device_key(file: Option<&Path>) -> Result<Option<DeviceKey>, Failure> {
    let (name, text) = if let Some(path) = file {
        let text = fs::read_to_string(path).at(path)?;
        (path.display().to_string(), Some(text))
    } else {
        let name = "READOUT_DEVICE_KEY";
        (name.to_owned(), variable(name)?)
    };
    text.map(|text| {
        DeviceKey::parse(text.trim()).map_err(|error| Failure::other(format!("{name} {error}")))
    })
    .transpose()
}

/// So many random bytes, in hex.
pub(crate) fn random(bytes: usize) -> Result<String, Failure> {
    let mut bits = vec![0_u8; bytes];
    getrandom::fill(&mut bits)
        .map_err(|error| Failure::other(format!("the system gives no random numbers: {error}")))?;
    Ok(hex::encode(&bits))
}

/// Writes a file that only we can read, in the place of one that is there.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut half = path.as_os_str().to_owned();
    half.push(format!(".{}.new", std::process::id()));
    let half = Path::new(&half);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(half)
        .at(path)?;
    file.write_all(text.as_bytes()).at(path)?;
    fs::rename(half, path).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_not_printed() {
        let secret = Secret::from("hunter2".to_owned());
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(Secret::parse("X", "line\nbreak").is_err());
    }

    #[test]
    fn a_key_in_a_file_is_checked_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = DeviceKey::new([7; 32]);
        write_private(&path, &format!("{}\n", key.reveal())).unwrap();
        assert_eq!(device_key(Some(&path)).unwrap(), Some(key));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "rdk_hunter2").unwrap();
        let refused = device_key(Some(&path)).unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
