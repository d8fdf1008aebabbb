//! Runs a command beside a private PostgreSQL and `PgBouncer`, which end with it: `rig cargo nextest run`.
//!
//! nextest runs each test in a process of its own, so what all tests share has to live here. The command learns of the
//! servers from its environment; `support/rig.rs` reads it.

use std::error::Error;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The database that each test clones.
const TEMPLATE: &str = "readout_template";

/// Connections to PostgreSQL that the pooler has for each database: so few that every mistake shows.
const POOL_SIZE: u32 = 2;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rig: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        return Err("give a command to run, such as `rig cargo nextest run`".into());
    };
    // Before anything is started, so that nothing is left running.
    let signals = Signals::listen()?;
    let folder = tempfile::Builder::new()
        .prefix("readout-rig-")
        // The servers' account must get through, also where it is not ours.
        .permissions(Permissions::from_mode(0o755))
        .tempdir()?;
    let postgres = Postgres::start(postgres_settings(folder.path())).await?;
    let outcome = beside(&postgres, folder.path(), signals, (program, arguments)).await;
    postgres.stop().await?;
    outcome
}

fn postgres_settings(folder: &Path) -> Settings {
    let mut settings = Settings::new(folder.join("postgres"));
    let extra = [
        ("max_connections", "200"),
        ("shared_buffers", "128MB"),
        // Nothing here outlives the rig: a commit is still a commit, only a power cut would lose it.
        ("fsync", "off"),
        ("full_page_writes", "off"),
    ];
    settings.extra = extra
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    settings
}

/// Everything that PostgreSQL must outlive.
async fn beside(
    postgres: &Postgres,
    folder: &Path,
    signals: Signals,
    command: (OsString, impl Iterator<Item = OsString>),
) -> Result<ExitCode> {
    make_template(postgres).await?;
    let mut settings = PgBouncerSettings::new(folder.join("pgbouncer"), POOL_SIZE);
    // Every test has a database of its own, and none needs its connections for long.
    settings.server_idle_timeout = std::time::Duration::from_secs(20);
    let bouncer = PgBouncer::start(postgres, settings).await?;
    let (program, arguments) = command;
    let child = Command::new(&program)
        .args(arguments)
        .envs(environment(postgres, &bouncer)?)
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.display()));
    let outcome = match child {
        Ok(child) => signals.attend(child).await,
        Err(error) => Err(error.into()),
    };
    bouncer.stop().await?;
    outcome
}

async fn make_template(postgres: &Postgres) -> Result<()> {
    postgres.create_database(TEMPLATE).await?;
    migration::up(&postgres.url_for(TEMPLATE)).await?;
    // A template with a visitor cannot be cloned.
    let close = format!("ALTER DATABASE {TEMPLATE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
    postgres.psql("postgres", &close).await?;
    Ok(())
}

fn environment(postgres: &Postgres, bouncer: &PgBouncer) -> Result<Vec<(&'static str, OsString)>> {
    let pattern = |url: String| OsString::from(url + "{database}");
    let socket = |folder: &Path, port: u16| folder.join(format!(".s.PGSQL.{port}")).into();
    let binary = std::env::var_os("READOUT_BIN").map_or_else(sibling, Ok)?;
    Ok(vec![
        ("READOUT_BIN", binary),
        ("READOUT_RIG_TEMPLATE", TEMPLATE.into()),
        ("READOUT_RIG_DIRECT", pattern(postgres.url_for(""))),
        ("READOUT_RIG_POOLED", pattern(bouncer.url_for(""))),
        (
            "READOUT_RIG_DIRECT_SOCKET",
            socket(postgres.socket_directory(), postgres.port()),
        ),
        (
            "READOUT_RIG_POOLED_SOCKET",
            socket(bouncer.socket_directory(), bouncer.port()),
        ),
    ])
}

/// The program under test is built into the same folder.
fn sibling() -> Result<OsString> {
    let rig = std::env::current_exe()?;
    let folder = rig.parent().map(PathBuf::from).unwrap_or_default();
    Ok(folder.join("readout").into())
}

/// The requests to end that are passed on, so that the servers are stopped in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the end of the command, and answers its exit code.
    async fn attend(mut self, mut child: Child) -> Result<ExitCode> {
        loop {
            tokio::select! {
                status = child.wait() => {
                    let code = status?.code().and_then(|code| u8::try_from(code).ok());
                    return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
                }
                _ = self.interrupt.recv() => end(&child).await?,
                _ = self.terminate.recv() => end(&child).await?,
            }
        }
    }
}

/// Asks by SIGTERM, which the standard library cannot send.
async fn end(child: &Child) -> Result<()> {
    if let Some(pid) = child.id() {
        Command::new("kill").arg(pid.to_string()).status().await?;
    }
    Ok(())
}
