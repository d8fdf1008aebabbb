//! Where the server programs of this machine are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{EmbeddedError, OLDEST_MAJOR};

const NEEDED: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];

/// Folders whose entries are versions: the parent, how the entry's name begins, and where the programs are below it.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
];

const PGBOUNCER: [&str; 4] = [
    "/usr/sbin/pgbouncer",
    "/usr/bin/pgbouncer",
    "/opt/homebrew/bin/pgbouncer",
    "/usr/local/bin/pgbouncer",
];

/// The programs of one PostgreSQL version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// The programs in `directory`, if all that we need are there.
    fn at(directory: PathBuf) -> Option<Self> {
        if !NEEDED.iter().all(|name| directory.join(name).is_file()) {
            return None;
        }
        let major = major_of(&directory.join("postgres"))?;
        Some(Self { directory, major })
    }

    /// The major version, such as 17.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The full path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The newest PostgreSQL here, or the one of the major version that the cluster in `data` needs: 14 or newer.
pub fn find_postgres(data: Option<&Path>) -> Result<Binaries, EmbeddedError> {
    let candidates = candidates().into_iter().filter_map(Binaries::at);
    choose(
        candidates.collect(),
        data.and_then(|data| Some((cluster_major(data)?, data))),
    )
}

fn choose(
    installed: Vec<Binaries>,
    needed: Option<(u32, &Path)>,
) -> Result<Binaries, EmbeddedError> {
    let newest = installed.iter().map(Binaries::major).max();
    let wanted = needed.map(|(major, _)| major).or(newest);
    let found = installed
        .into_iter()
        .find(|binaries| Some(binaries.major) == wanted && binaries.major >= OLDEST_MAJOR);
    found.ok_or_else(|| match needed {
        Some((made_by, data)) if made_by < OLDEST_MAJOR => EmbeddedError::ClusterTooOld {
            made_by,
            folder: data.to_owned(),
        },
        Some((needed, data)) => EmbeddedError::MajorMissing {
            needed,
            found: newest,
            folder: data.to_owned(),
        },
        None => newest.map_or(EmbeddedError::PostgresMissing, |found| {
            EmbeddedError::PostgresTooOld { found }
        }),
    })
}

/// The `PgBouncer` of this machine.
pub fn find_pgbouncer() -> Result<PathBuf, EmbeddedError> {
    let known = PGBOUNCER.iter().map(PathBuf::from);
    known
        .chain(search_path().into_iter().map(|dir| dir.join("pgbouncer")))
        .find(|path| path.is_file())
        .ok_or(EmbeddedError::PgBouncerMissing)
}

fn candidates() -> Vec<PathBuf> {
    let versioned = VERSIONED.iter().flat_map(|(parent, prefix, below)| {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        entries
            .filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(move |entry| entry.path().join(below))
    });
    versioned.chain(search_path()).collect()
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map_or_else(Vec::new, |path| env::split_paths(&path).collect())
}

/// The version that made the cluster in `data`, if there is one.
fn cluster_major(data: &Path) -> Option<u32> {
    let version = fs::read_to_string(data.join("PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

fn major_of(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`, `… 18beta1` and the like.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit());
    number.get(..end.unwrap_or(number.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries {
            directory: PathBuf::from(format!("/{major}")),
            major,
        }
    }

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("something else"), None);
    }

    #[test]
    fn a_cluster_gets_the_version_that_made_it_and_otherwise_the_newest_is_taken() {
        let here = || vec![binaries(9), binaries(17), binaries(15)];
        let data = Path::new("/data");
        assert_eq!(choose(here(), None).unwrap().major(), 17);
        assert_eq!(choose(here(), Some((15, data))).unwrap().major(), 15);
        let missing = choose(here(), Some((14, data))).unwrap_err().to_string();
        assert!(
            missing.contains("postgresql-14") && missing.contains("version 17 is"),
            "{missing}"
        );
        let none = choose(vec![], None).unwrap_err().to_string();
        assert!(
            none.contains("apt-get install postgresql") && none.contains("DATABASE_URL"),
            "{none}"
        );
    }

    #[test]
    fn versions_before_14_are_refused_and_named() {
        let old = || vec![binaries(12), binaries(13), binaries(9)];
        let refused = choose(old(), None).unwrap_err().to_string();
        assert!(
            refused.contains("found is version 13") && refused.contains("version 14 or newer"),
            "{refused}"
        );
        let data = Path::new("/data");
        let refused = choose(old(), Some((13, data))).unwrap_err().to_string();
        assert!(
            refused.contains("/data was made by PostgreSQL 13") && refused.contains("pg_upgrade"),
            "{refused}"
        );
        let missing = choose(old(), Some((15, data))).unwrap_err().to_string();
        assert!(missing.contains("version 13 is"), "{missing}");
        let mut both = old();
        both.push(binaries(14));
        assert_eq!(choose(both, None).unwrap().major(), 14);
    }
}
