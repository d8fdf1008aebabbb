//! Why a tool cannot go on, in one sentence for the one who typed the command.

use std::{io, path::Path};

/// Why a tool cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no answer.
    #[error("{url} cannot be reached ({cause}): is Readout running there? See --url")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the system says.
        cause: String,
    },
    /// There is an answer, and not one of Readout.
    #[error("{url} does not answer like Readout ({got}): see --url")]
    NotReadout {
        /// Where it should be.
        url: String,
        /// What was answered instead.
        got: String,
    },
    /// The service refused what was asked for.
    #[error("{what}: {detail} ({status} {code})")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status of the answer.
        status: u16,
        /// The code of the problem.
        code: String,
        /// What the service says of it.
        detail: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        cause: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// A file that cannot be read or written.
    pub(crate) fn file(path: &Path, cause: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.display().to_string(),
            cause: cause.to_string(),
        }
    }

    /// Anything else.
    pub(crate) fn other(sentence: impl Into<String>) -> Self {
        Self::Other(sentence.into())
    }
}

/// Names the file in what the system says of it.
pub(crate) trait AtPath<T> {
    /// The same, with the file's name.
    fn at(self, path: &Path) -> Result<T, Failure>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Failure> {
        self.map_err(|error| Failure::file(path, error))
    }
}
