//! What is killed: PostgreSQL, `PgBouncer` and the server, all of them ours.

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};

/// How long a start may take: of the server with a database that is just recovering, for example.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two attempts at what does not work yet.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Rig {
    postgres: Postgres,
    pooler: PgBouncer,
    server: Option<Child>,
    /// Where the server listens, each time that it is started.
    pub(crate) address: SocketAddr,
    log: File,
}

impl Rig {
    /// Starts everything in a folder that all accounts can pass through.
    pub(crate) async fn start(folder: &Path) -> Self {
        let settings = Settings::new(folder.join("postgres"));
        let postgres = Postgres::start(settings).await.unwrap();
        migration::up(&postgres.url()).await.unwrap();
        let settings = PgBouncerSettings::new(folder.join("pgbouncer"), 4);
        let pooler = PgBouncer::start(&postgres, settings).await.unwrap();
        let mut rig = Self {
            postgres,
            pooler,
            server: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: File::create_new(folder.join("server.log")).unwrap(),
        };
        rig.start_server().await;
        rig
    }

    /// Starts the server, the first time on any free port and then on the same; again if it gives up,
    /// as whatever supervises it would.
    pub(crate) async fn start_server(&mut self) {
        let attempts = async {
            while !self.try_start_server().await {
                sleep(PAUSE).await;
            }
        };
        let started = timeout(PATIENCE, attempts).await;
        started.expect("the server does not start");
    }

    async fn try_start_server(&mut self) -> bool {
        let secret = "a secret of more than thirty-two bytes, for torture";
        let mut server = Command::new(program())
            .arg("serve")
            .env("DATABASE_URL", self.pooler.url_for("readout"))
            .env("AUTH_SECRET", secret)
            .env("LISTEN_ADDR", self.address.to_string())
            .env("RATE_LIMITS", "off")
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(self.log.try_clone().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let Ok(Some(first)) = lines.next_line().await else {
            server.wait().await.unwrap();
            return false;
        };
        let address = first.rsplit_once("http://").map(|(_, it)| it.parse());
        let Some(Ok(address)) = address else {
            panic!("the server said: {first}")
        };
        // Whoever reads on keeps the pipe open.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.address = address;
        self.server = Some(server);
        true
    }

    pub(crate) async fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().await.unwrap();
        }
    }

    pub(crate) async fn kill_pooler(&self) {
        self.pooler.kill().await.unwrap();
    }

    pub(crate) async fn start_pooler(&self) {
        self.pooler.restart().await.unwrap();
    }

    /// Kills the postmaster alone, whose backends then end by themselves. What supervises it starts it
    /// again at once.
    pub(crate) async fn kill_postgres(&self) {
        // It is our child, and its id is ours until we have seen its end.
        let pid = loop {
            match self.postgres.pid() {
                Some(pid) => break pid,
                None => sleep(PAUSE).await,
            }
        };
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    }

    /// A connection without a pooler between, as soon as PostgreSQL takes one.
    pub(crate) async fn direct(&self) -> Client {
        let attempts = async {
            loop {
                match tokio_postgres::connect(&self.postgres.url(), NoTls).await {
                    Ok((client, connection)) => {
                        tokio::spawn(connection);
                        break client;
                    }
                    Err(_) => sleep(PAUSE).await,
                }
            }
        };
        let connected = timeout(PATIENCE, attempts).await;
        connected.expect("PostgreSQL does not come back")
    }

    pub(crate) async fn stop(mut self) {
        self.kill_server().await;
        self.pooler.stop().await.unwrap();
        self.postgres.stop().await.unwrap();
    }
}

/// The program: beside this one, unless `READOUT_BIN` says otherwise.
fn program() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is not the program, but what tests it"
    )]
    let named = std::env::var("READOUT_BIN");
    named.map_or_else(
        |_| std::env::current_exe().unwrap().with_file_name("readout"),
        PathBuf::from,
    )
}
