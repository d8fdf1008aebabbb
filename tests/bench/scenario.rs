//! What is run, and against what it is held.

use crate::baseline::Server;
use crate::copy;
use crate::load::{self, End, Outcome};
use crate::meter::Meter;
use crate::options::Options;
use crate::request::Request;
use crate::rig::Rig;
use std::time::Duration;

/// What a scenario asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `/health/live` of Readout.
    Health,
    /// So many readings in each request to Readout.
    Readings(usize),
    /// One reading in each request to the plain handler with SeaORM.
    Plain,
    /// The same to the lean handler.
    Lean,
    /// COPY with so many rows in each statement.
    Copy(u64),
}

/// Every scenario in the order of a round: its name, connections, kind, and what it is.
///
/// What is held against each other stands side by side, since machines change their pace.
const ALL: [(&str, usize, Kind, &str); 13] = [
    ("health-64", 64, Kind::Health, "/health/live"),
    ("single-64", 64, Kind::Readings(1), "one reading a request"),
    (
        "plain-64",
        64,
        Kind::Plain,
        "actix + SeaORM, look-up, INSERT",
    ),
    ("lean-64", 64, Kind::Lean, "actix + tokio-postgres, INSERT"),
    ("health-256", 256, Kind::Health, "/health/live"),
    (
        "single-256",
        256,
        Kind::Readings(1),
        "one reading a request",
    ),
    (
        "plain-256",
        256,
        Kind::Plain,
        "actix + SeaORM, look-up, INSERT",
    ),
    (
        "lean-256",
        256,
        Kind::Lean,
        "actix + tokio-postgres, INSERT",
    ),
    ("batch-100", 16, Kind::Readings(100), "batches of 100"),
    (
        "copy-300k",
        1,
        Kind::Copy(300_000),
        "COPY, 300,000 rows a commit",
    ),
    ("batch-1000", 8, Kind::Readings(1_000), "batches of 1,000"),
    (
        "copy-10k",
        1,
        Kind::Copy(10_000),
        "COPY, 10,000 rows a commit",
    ),
    (
        "batch-10000",
        4,
        Kind::Readings(10_000),
        "batches of 10,000",
    ),
];

/// Which are held against which.
pub(crate) const RATIOS: [(&str, &str); 12] = [
    ("single-64", "health-64"),
    ("single-256", "health-256"),
    ("single-64", "plain-64"),
    ("single-256", "plain-256"),
    ("single-64", "lean-64"),
    ("single-256", "lean-256"),
    ("batch-100", "copy-300k"),
    ("batch-1000", "copy-300k"),
    ("batch-10000", "copy-300k"),
    ("batch-100", "copy-10k"),
    ("batch-1000", "copy-10k"),
    ("batch-10000", "copy-10k"),
];

/// Rows that COPY loads for each second that a round of the others lasts, about as many as it can.
const COPIED_PER_SECOND: u64 = 300_000;

/// Devices that all scenarios need together.
pub(crate) const DEVICES: usize = 64 + 256 + 16 + 8 + 4;

/// Counts what Readout has stored.
pub(crate) const SAMPLES: &str = "select count(*) from samples";

/// A scenario that was chosen.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) kind: Kind,
    pub(crate) what: &'static str,
    requests: Vec<Request>,
    /// Rows that were acknowledged in all rounds.
    pub(crate) acknowledged: u64,
}

/// The servers to compare with, where they are wanted.
#[derive(Debug)]
pub(crate) struct Baselines {
    plain: Option<Server>,
    lean: Option<Server>,
}

impl Baselines {
    pub(crate) async fn start(rig: &Rig, scenarios: &[Scenario]) -> Self {
        let url = rig.direct_url();
        let wants = |kind| scenarios.iter().any(|it| it.kind == kind);
        let device = rig.text("select id from devices limit 1").await;
        let lean = || Server::start(&["serve-lean", &url, &device]);
        Self {
            plain: wants(Kind::Plain).then(|| Server::start(&["serve-plain", &url])),
            lean: wants(Kind::Lean).then(lean),
        }
    }
}

/// The names of all scenarios.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|(name, ..)| name)
}

/// The scenarios that are wanted.
pub(crate) fn chosen(options: &Options, keys: &[String]) -> Vec<Scenario> {
    // Scenarios that Readout stores have devices of their own, so that no reading comes twice.
    let mut unused = keys;
    let mut chosen = Vec::new();
    for (name, connections, kind, what) in ALL {
        let keys = if let Kind::Readings(_) = kind {
            unused.split_off(..connections).unwrap()
        } else {
            &keys[..connections]
        };
        let request = |key: &String| match kind {
            Kind::Health => Request::health(),
            Kind::Readings(1) | Kind::Plain | Kind::Lean => Request::post(key, 1).live(),
            Kind::Readings(readings) => Request::post(key, readings),
            Kind::Copy(_) => Request::post(key, 1),
        };
        if options.wants(name) {
            chosen.push(Scenario {
                name,
                connections,
                kind,
                what,
                requests: keys.iter().map(request).collect(),
                acknowledged: 0,
            });
        }
    }
    chosen
}

impl Scenario {
    /// Runs one round, and answers what came of it and what it cost.
    pub(crate) async fn round(
        &mut self,
        rig: &Rig,
        baselines: &Baselines,
        seconds: f64,
    ) -> (Outcome, Meter) {
        let [server, ..] = rig.pids();
        let (address, pid) = match self.kind {
            Kind::Plain => target(baselines.plain.as_ref()),
            Kind::Lean => target(baselines.lean.as_ref()),
            Kind::Health | Kind::Readings(_) | Kind::Copy(_) => (rig.address, server),
        };
        let before = Meter::read(rig, pid).await;
        let outcome = if let Kind::Copy(rows) = self.kind {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a small number of statements"
            )]
            let statements = (seconds * COPIED_PER_SECOND as f64 / rows as f64).ceil() as u64;
            copy::run(rig, rows, statements).await
        } else {
            let end = End::After(Duration::from_secs_f64(seconds));
            tokio::task::block_in_place(|| load::run(address, &mut self.requests, end))
        };
        self.acknowledged += outcome.readings;
        (outcome, Meter::read(rig, pid).await.since(before))
    }

    /// Where the rows are that it has stored, as SQL that counts them.
    pub(crate) fn counted_by(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Health => None,
            Kind::Readings(_) => Some(SAMPLES),
            Kind::Plain | Kind::Lean => Some("select count(*) from sensor_readings_plain"),
            Kind::Copy(_) => Some("select count(*) from copied"),
        }
    }
}

fn target(server: Option<&Server>) -> (std::net::SocketAddr, u32) {
    let server = server.unwrap();
    (server.address, server.pid())
}
