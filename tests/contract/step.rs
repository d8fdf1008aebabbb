//! What is run, one tool after the other.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::timeout;

/// How long a step may take: many times as long as it does.
const PATIENCE: Duration = Duration::from_mins(15);

/// Where the service listens, and where things lie.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) tools: PathBuf,
    /// The sources of the tests, the document, and what is made of it.
    pub(crate) work: PathBuf,
}

/// Commands that are run one after the other, each only if the one before went well.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    commands: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// All steps, in groups that are run beside each other.
pub(crate) fn groups(examples: u32) -> Vec<Vec<Step>> {
    let lint = [
        "redocly lint --config redocly-lint.yaml openapi.json",
        "spectral lint --ruleset spectral.yaml --fail-severity hint openapi.json",
    ];
    // What has a default may be left out of a request.
    let typescript = [
        "openapi-typescript openapi.json --default-non-nullable=false --output schema.d.ts",
        "tsc --project tsconfig.json",
        "node session.js",
    ];
    let python = [
        "openapi-python-client generate --path openapi.python.json --config python-client.yaml \
         --output-path readout_client --meta none --fail-on-warning",
        "mypy --strict session.py",
        "python session.py",
    ];
    let fuzz = format!(
        "schemathesis --config-file schemathesis.toml run $READOUT_URL/api/openapi.json \
         --max-examples {examples} --no-color"
    );
    vec![
        vec![
            Step::new("lint", &lint),
            Step::new("typescript", &typescript),
        ],
        vec![
            Step::new("python", &python),
            Step::new("browser", &["node browser.mjs"]),
        ],
        ["anonymous", "device", "user"]
            .map(|identity| Step::fuzz(identity, &fuzz))
            .into(),
    ]
}

impl Step {
    fn new(name: &'static str, commands: &[&str]) -> Self {
        Self {
            name,
            commands: commands.iter().map(|&it| it.to_owned()).collect(),
            environment: Vec::new(),
        }
    }

    fn fuzz(identity: &'static str, command: &str) -> Self {
        let name = match identity {
            "anonymous" => "fuzz-anonymous",
            "device" => "fuzz-device",
            _ => "fuzz-user",
        };
        Self {
            environment: vec![("READOUT_IDENTITY", identity.to_owned())],
            ..Self::new(name, &[command])
        }
    }

    /// Runs it, tells how it went, and answers what was wrong.
    pub(crate) async fn run(&self, place: &Place) -> Option<String> {
        let log = place.work.join(format!("{}.log", self.name));
        let began = Instant::now();
        let ended = timeout(PATIENCE, self.command(place, &log).status()).await;
        let seconds = began.elapsed().as_secs();
        let outcome = match ended {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => None,
            Ok(status) => Some(format!("{status:?}")),
            Err(_) => Some("took too long".to_owned()),
        };
        let Some(outcome) = outcome else {
            println!("{:<15} well, in {seconds} s", self.name);
            return None;
        };
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        println!("--- {}\n{said}\n--- {outcome}", self.name);
        Some(format!("{}: {outcome}, see {}", self.name, log.display()))
    }

    fn command(&self, place: &Place, log: &Path) -> Command {
        let tools = ["venv/bin", "node_modules/.bin"].map(|it| place.tools.join(it));
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&others)));
        let log = File::create(log).unwrap();
        let screenshot = place.tools.join("swagger-ui.png");
        let mut command = Command::new("bash");
        command
            .args(["-euxc", &self.commands.join("\n")])
            .current_dir(&place.work)
            .env("PATH", path.unwrap())
            .env("READOUT_URL", &place.url)
            .env("SCREENSHOT", screenshot)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(self.environment.iter().map(|(name, it)| (name, it)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true);
        command
    }
}
