//! What is measured: the program in front of `PgBouncer` in front of `PostgreSQL`, durable as in production.

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Connections from the pooler to PostgreSQL, which is Readout's own default too.
const POOL: u32 = 4;

pub(crate) struct Rig {
    postgres: Postgres,
    pooler: PgBouncer,
    server: Child,
    pub(crate) address: SocketAddr,
    /// Keys of devices to post as, and their ids.
    pub(crate) keys: Vec<String>,
    pub(crate) ids: Vec<String>,
    /// A connection without a pooler between.
    pub(crate) direct: tokio_postgres::Client,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Rig {
    /// Starts everything, and signs up so many devices.
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
        let pooler = PgBouncerSettings::new(folder.path().join("pgbouncer"), POOL);
        let pooler = PgBouncer::start(&postgres, pooler).await.unwrap();
        let (server, address) = serve(&pooler.url_for("readout"), &[]).await;
        let (direct, connection) = tokio_postgres::connect(&postgres.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut rig = Self {
            postgres,
            pooler,
            server,
            address,
            keys: Vec::new(),
            ids: Vec::new(),
            direct,
            http: reqwest::Client::new(),
            _folder: folder,
        };
        rig.provision(devices).await;
        rig
    }

    /// Starts the server anew with further settings.
    pub(crate) async fn restart(&mut self, settings: &[(&str, &str)]) {
        self.server.kill().await.unwrap();
        (self.server, self.address) = serve(&self.pooler.url_for("readout"), settings).await;
    }

    /// Signs up and provisions devices through the API.
    async fn provision(&mut self, devices: usize) {
        let token = self.token("sign-up").await;
        for number in 0..devices {
            let body = serde_json::json!({"name": format!("device {number}")});
            let device = self.post("devices", &token, &body).await;
            self.keys.push(text(&device, "device_key").to_owned());
            self.ids.push(text(&device, "id").to_owned());
        }
    }

    /// An access token that lives for 15 minutes.
    pub(crate) async fn sign_in(&self) -> String {
        self.token("sign-in").await
    }

    /// A sign-in, still to be tried.
    pub(crate) fn sign_in_request(&self, email: &str, password: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/api/v1/auth/sign-in", self.address);
        let body = serde_json::json!({"email": email, "password": password});
        self.http.post(url).json(&body)
    }

    async fn token(&self, way: &str) -> String {
        let body =
            serde_json::json!({"email": "bench@example.com", "password": "correct horse battery"});
        let signed = self.post(&format!("auth/{way}"), "", &body).await;
        text(&signed, "access_token").to_owned()
    }

    /// Asks for a path of the API.
    pub(crate) async fn get(&self, path: &str, token: &str) -> reqwest::Response {
        self.request(path, token).send().await.unwrap()
    }

    /// The question for a path of the API, still to be asked.
    pub(crate) fn request(&self, path: &str, token: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/api/v1/{path}", self.address);
        self.http.get(url).bearer_auth(token)
    }

    /// Posts JSON with times in seconds as one of the devices.
    pub(crate) async fn post_readings(&self, device: usize, body: String) -> serde_json::Value {
        let url = format!("http://{}/api/v1/readings?precision=s", self.address);
        let request = self
            .http
            .post(url)
            .header("x-device-key", &self.keys[device]);
        let request = request
            .header("content-type", "application/json")
            .body(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Posts to a path of the API.
    pub(crate) async fn post(
        &self,
        path: &str,
        token: &str,
        body: &serde_json::Value,
    ) -> serde_json::Value {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let request = self.http.post(url).bearer_auth(token).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The figures that the server tells of itself, in Prometheus' text format.
    pub(crate) async fn figures(&self) -> String {
        let url = format!("http://{}/metrics", self.address);
        let answer = self.http.get(url).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// The URL of PostgreSQL itself, without a pooler between.
    pub(crate) fn direct_url(&self) -> String {
        self.postgres.url()
    }

    /// The one text that a statement answers, through the direct connection.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = format!("select ({sql})::text");
        self.direct.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// The same as a number.
    pub(crate) async fn number(&self, sql: &str) -> u64 {
        self.text(sql).await.parse().unwrap()
    }

    /// Process ids of the server, the pooler and the postmaster.
    pub(crate) fn pids(&self) -> [u32; 3] {
        let pids = [self.server.id(), self.pooler.pid(), self.postgres.pid()];
        pids.map(Option::unwrap)
    }

    pub(crate) async fn stop(mut self) {
        self.server.kill().await.unwrap();
        self.pooler.stop().await.unwrap();
        self.postgres.stop().await.unwrap();
    }
}

fn text<'a>(answer: &'a serde_json::Value, name: &str) -> &'a str {
    let text = answer.get(name).and_then(serde_json::Value::as_str);
    text.unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// Starts the program on a free port.
async fn serve(database: &str, settings: &[(&str, &str)]) -> (Child, SocketAddr) {
    let secret = "a secret of more than thirty-two bytes, for measuring";
    let mut server = Command::new(program())
        .arg("serve")
        .env("DATABASE_URL", database)
        .env("AUTH_SECRET", secret)
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("RATE_LIMITS", "off")
        .env("RUST_LOG", "warn")
        .envs(settings.iter().copied())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap_or_default();
    let address = first.rsplit_once("http://").map(|(_, it)| it.parse());
    let Some(Ok(address)) = address else {
        panic!("the server said: {first}")
    };
    // Whoever reads on keeps the pipe open.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (server, address)
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
