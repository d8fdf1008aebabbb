//! What the document is compared with: PostgreSQL, `PgBouncer` and the server, all of them ours.

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[derive(Debug)]
pub(crate) struct Rig {
    postgres: Postgres,
    pooler: PgBouncer,
    server: Child,
    /// Where the server listens.
    pub(crate) url: String,
}

impl Rig {
    /// Starts everything in a folder that all accounts can pass through.
    pub(crate) async fn start(folder: &Path, program: &Path) -> Self {
        let mut settings = Settings::new(folder.join("postgres"));
        // Nothing here outlives the rig.
        settings.extra = vec![("fsync".to_owned(), "off".to_owned())];
        let postgres = Postgres::start(settings).await.unwrap();
        migration::up(&postgres.url()).await.unwrap();
        let settings = PgBouncerSettings::new(folder.join("pgbouncer"), 4);
        let pooler = PgBouncer::start(&postgres, settings).await.unwrap();
        let mut server = Command::new(program)
            .arg("serve")
            .env("DATABASE_URL", pooler.url_for("readout"))
            .env("DATABASE_DIRECT_URL", postgres.url())
            .env(
                "AUTH_SECRET",
                "a secret of more than thirty-two bytes, for the contract",
            )
            .env("LISTEN_ADDR", "127.0.0.1:0")
            // Thousands of requests a minute, all from one address, are what is wanted here.
            .env("RATE_LIMITS", "off")
            .env("LOG_FORMAT", "json")
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(File::create_new(folder.join("server.log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap();
        let first = first.expect("the server says where it listens");
        let (_, address) = first.rsplit_once("http://").expect("an address");
        let url = format!("http://{address}");
        // Whoever reads on keeps the pipe open.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            postgres,
            pooler,
            server,
            url,
        }
    }

    pub(crate) async fn stop(mut self) {
        self.server.kill().await.unwrap();
        self.pooler.stop().await.unwrap();
        self.postgres.stop().await.unwrap();
    }
}

/// What the log of the server should never say, whatever it is asked.
pub(crate) fn complaints(folder: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(folder.join("server.log")).unwrap();
    let is_wrong = |line: &&str| {
        // What cannot be read as HTTP at all is the client's mistake, which the library calls an error.
        let is_error = line.contains(r#""level":"ERROR""#) && !line.contains("stream error: ");
        is_error || line.contains("panicked")
    };
    log.lines().filter(is_wrong).map(str::to_owned).collect()
}
