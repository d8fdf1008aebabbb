//! The rules of ARCHITECTURE.md that can be read off the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate, and what of the workspace and of the two frameworks it may name.
const RULES: [(&str, &[&str]); 7] = [
    ("crates/domain", &[]),
    (
        "crates/persistence",
        &["domain", "sea-orm", "sea-query-sqlx", "sqlx"],
    ),
    ("crates/http", &["actix-web", "domain", "persistence"]),
    ("crates/client", &["domain"]),
    ("crates/embedded", &[]),
    (
        "crates/readout",
        &[
            "client",
            "domain",
            "embedded",
            "http",
            "migration",
            "persistence",
        ],
    ),
    ("migration", &["sea-orm-migration"]),
];

const WATCHED: [&str; 12] = [
    "actix-web",
    "client",
    "domain",
    "embedded",
    "http",
    "migration",
    "persistence",
    "sea-orm",
    "sea-orm-migration",
    "sea-query-sqlx",
    "sqlx",
    "tests",
];

const LONGEST_FILE: usize = 300;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn dependencies(manifest: &str) -> BTreeSet<&str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| WATCHED.contains(name))
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn dependencies_run_one_way() {
    for (place, allowed) in RULES {
        let manifest = fs::read_to_string(root().join(place).join("Cargo.toml")).unwrap();
        let allowed: BTreeSet<_> = allowed.iter().copied().collect();
        assert_eq!(dependencies(&manifest), allowed, "{place}");
    }
}

#[test]
fn files_stay_short_and_begin_with_what_they_are() {
    let mut files = Vec::new();
    for place in ["crates", "migration", "tests"] {
        sources(&root().join(place), &mut files);
    }
    assert!(files.len() > 100, "{} files", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        assert!(
            lines <= LONGEST_FILE,
            "{} has {lines} lines",
            file.display()
        );
        assert!(
            text.starts_with("//!"),
            "{} does not say what it is",
            file.display()
        );
    }
}

#[test]
fn every_noun_of_the_domain_is_in_every_layer() {
    for noun in [
        "alert",
        "alert_rule",
        "api_key",
        "device",
        "idempotency",
        "reading",
        "rejection",
        "rollup",
        "session",
        "signing_key",
        "throttle",
        "user",
        "verification",
    ] {
        for layer in [
            "crates/domain/src",
            "crates/persistence/src",
            "crates/http/src",
            "tests/api",
        ] {
            let place = root().join(layer);
            let there = place.join(format!("{noun}.rs")).exists()
                || place.join(noun).join("mod.rs").exists();
            assert!(there, "{layer} has no {noun}");
        }
    }
}

#[test]
fn the_composed_pooler_is_set_like_the_one_that_is_tested() {
    let composed = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    for setting in [
        "pool_mode = transaction",
        "query_wait_timeout = 3",
        "server_login_retry = 1",
    ] {
        assert!(
            composed.contains(setting),
            "docker-compose.yml lacks {setting}"
        );
    }
}
