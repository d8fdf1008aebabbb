//! What is measured: the program in front of `PgBouncer` in front of `PostgreSQL`, durable as in production.

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct Rig {
    postgres: Postgres,
    pooler: PgBouncer,
    server: Child,
    pub(crate) address: String,
    /// Keys of devices to post as.
    pub(crate) keys: Vec<Arc<str>>,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn start(devices: usize) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("readout-bench-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let postgres = Postgres::start(Settings::new(folder.path().join("postgres")))
            .await
            .unwrap();
        migration::up(&postgres.url()).await.unwrap();
        let pooler = PgBouncerSettings::new(folder.path().join("pgbouncer"), 4);
        let pooler = PgBouncer::start(&postgres, pooler).await.unwrap();
        let mut server = Command::new(program())
            .arg("serve")
            .env("DATABASE_URL", pooler.url_for("readout"))
            .env(
                "AUTH_SECRET",
                "a secret of more than thirty-two bytes, for measuring",
            )
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("RUST_LOG", "warn")
            // What is measured is how fast it can be, not how fast one owner may.
            .env("RATE_LIMITS", "off")
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap_or_default();
        let address = first
            .rsplit_once("http://")
            .map(|(_, address)| address.to_owned());
        let mut rig = Self {
            postgres,
            pooler,
            server,
            address: address.unwrap_or_else(|| panic!("the server said: {first}")),
            keys: Vec::new(),
            _folder: folder,
        };
        rig.provision(devices).await;
        rig
    }

    /// Signs up and provisions devices through the API.
    async fn provision(&mut self, devices: usize) {
        let client = reqwest::Client::new();
        let base = format!("http://{}/api/v1", self.address);
        let body =
            serde_json::json!({"email": "bench@example.com", "password": "correct horse battery"});
        let signed: serde_json::Value = client
            .post(format!("{base}/auth/sign-up"))
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let token = signed
            .get("access_token")
            .and_then(serde_json::Value::as_str)
            .unwrap();
        for number in 0..devices {
            let request = client.post(format!("{base}/devices")).bearer_auth(token);
            let request = request.json(&serde_json::json!({"name": format!("device {number}")}));
            let device: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
            let key = device
                .get("device_key")
                .and_then(serde_json::Value::as_str)
                .unwrap();
            self.keys.push(key.into());
        }
    }

    /// Where the baselines connect: without a pooler, and without TLS.
    pub(crate) async fn direct(&self) -> tokio_postgres::Client {
        let (client, connection) =
            tokio_postgres::connect(&self.postgres.url(), tokio_postgres::NoTls)
                .await
                .unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn count(&self, sql: &str) -> u64 {
        self.postgres
            .psql("readout", sql)
            .await
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Memory of the server now, in MiB.
    pub(crate) fn resident_megabytes(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most memory that the server ever took, in MiB.
    pub(crate) fn peak_megabytes(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id().unwrap()))
            .unwrap_or_default();
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
            .unwrap_or(0)
            / 1024
    }

    pub(crate) async fn stop(mut self) {
        self.server.kill().await.unwrap();
        self.pooler.stop().await.unwrap();
        self.postgres.stop().await.unwrap();
    }
}

/// The program: beside this one, unless `READOUT_BIN` says otherwise.
fn program() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is not the program, but what measures it"
    )]
    let named = std::env::var("READOUT_BIN");
    named.map_or_else(
        |_| std::env::current_exe().unwrap().with_file_name("readout"),
        PathBuf::from,
    )
}
