//! Where the servers are that the rig runs, as it says in the environment.

use std::path::PathBuf;
use std::sync::LazyLock;

/// What the rig tells.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) binary: PathBuf,
    pub(crate) template: String,
    /// PostgreSQL itself.
    pub(crate) direct: Way,
    /// The way that the program under test takes: `PgBouncer`, or PostgreSQL itself with `READOUT_TEST_VIA=direct`.
    pub(crate) service: Way,
    /// What the program under test logs: as usual, or with `READOUT_TEST_LOG=trace` everything.
    pub(crate) log: String,
}

/// A way to the databases.
#[derive(Debug)]
pub(crate) struct Way {
    pattern: String,
    /// The same as a socket, for a proxy.
    pub(crate) socket: PathBuf,
}

impl Way {
    pub(crate) fn url(&self, database: &str) -> String {
        self.pattern.replace("{database}", database)
    }
}

/// The rig that this test runs in.
pub(crate) fn rig() -> &'static Rig {
    static RIG: LazyLock<Rig> = LazyLock::new(|| {
        let way = |name: &str| Way {
            pattern: variable(&format!("READOUT_RIG_{name}")),
            socket: variable(&format!("READOUT_RIG_{name}_SOCKET")).into(),
        };
        Rig {
            binary: variable("READOUT_BIN").into(),
            template: variable("READOUT_RIG_TEMPLATE"),
            direct: way("DIRECT"),
            service: way(if is_direct() { "DIRECT" } else { "POOLED" }),
            log: optional("READOUT_TEST_LOG").unwrap_or_else(|| "info".to_owned()),
        }
    });
    &RIG
}

fn is_direct() -> bool {
    match optional("READOUT_TEST_VIA").as_deref() {
        None | Some("pooler") => false,
        Some("direct") => true,
        Some(other) => panic!("READOUT_TEST_VIA is pooler or direct, not {other}"),
    }
}

fn variable(name: &str) -> String {
    optional(name).unwrap_or_else(|| {
        panic!("{name} is not set: run these tests by `make test` or `target/debug/rig cargo nextest run`")
    })
}

fn optional(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.into_string().expect("the rig writes UTF-8"))
}
