//! Every setting, with its environment variable, its default and its bounds.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use crate::{Failure, mail::MailSettings, secret::Secret, throttle::ThrottleSettings, web::Web};
use chrono::TimeDelta;
use clap::{Args, ValueEnum, value_parser};
use domain::{duration::Duration, rate_limit::MAX_RATE};
use http::RateLimitSettings;
use persistence::DbSettings;
use std::{net::SocketAddr, path::PathBuf, thread};

/// Settings, from the environment or the command line.
///
/// Those that hold a secret are texts here and checked by methods of ours, since the parser would
/// repeat a malformed one in its message.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Settings {
    /// Address to serve on; port 0 takes any free one
    #[arg(
        long,
        global = true,
        env = "LISTEN_ADDR",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen_addr: SocketAddr,

    /// Folder for what the program keeps itself: the private PostgreSQL and the generated secret
    #[arg(
        long,
        global = true,
        env = "DATA_DIR",
        value_name = "FOLDER",
        default_value = "./.readout"
    )]
    pub(crate) data_dir: PathBuf,

    /// Database to use, for example through PgBouncer in transaction mode; without it a private
    /// PostgreSQL is started under DATA_DIR
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    database_url: Option<Secret>,

    /// The same database without a pooler, for migrations [default: DATABASE_URL]
    #[arg(
        long,
        global = true,
        env = "DATABASE_DIRECT_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    database_direct_url: Option<Secret>,

    /// Most connections to the database
    #[arg(long, global = true, env = "DATABASE_MAX_CONNECTIONS", value_name = "N", default_value_t = 4,
        value_parser = value_parser!(u32).range(1..=100))]
    database_max_connections: u32,

    /// How many of them are kept for ingest, each with a writer of its own
    #[arg(long, global = true, env = "INGEST_CONNECTIONS", value_name = "N", default_value_t = 2,
        value_parser = value_parser!(u32).range(1..=16))]
    ingest_connections: u32,

    /// Whether to name prepared statements: only with a direct connection, or PgBouncer from 1.21
    /// with max_prepared_statements
    #[arg(long, global = true, env = "DATABASE_PREPARED_STATEMENTS", value_name = "BOOL", default_value_t = false,
        action = clap::ArgAction::Set)]
    database_prepared_statements: bool,

    /// Time limit of each statement
    #[arg(long, global = true, env = "DATABASE_STATEMENT_TIMEOUT", value_name = "DURATION", default_value = "15s",
        value_parser = Duration::parse)]
    database_statement_timeout: Duration,

    /// Encrypts what is stored and must be read again, such as the keys that sign access tokens: at least 32
    /// bytes, the same on all instances; required with DATABASE_URL, otherwise generated and kept under DATA_DIR
    #[arg(
        long,
        global = true,
        env = "AUTH_SECRET",
        value_name = "TEXT",
        hide_env_values = true
    )]
    auth_secret: Option<Secret>,

    /// The AUTH_SECRET before the present one, while that is being changed: what it encrypted is still read, and
    /// signing keys are encrypted again
    #[arg(
        long,
        global = true,
        env = "AUTH_SECRET_PREVIOUS",
        value_name = "TEXT",
        hide_env_values = true
    )]
    auth_secret_previous: Option<Secret>,

    /// Form of the log on stderr [default: pretty on a terminal, json otherwise]
    #[arg(
        long,
        global = true,
        env = "LOG_FORMAT",
        value_name = "FORMAT",
        value_enum
    )]
    pub(crate) log_format: Option<LogFormat>,

    /// What to log, as directives of tracing-subscriber, such as info or readout=debug,http=warn
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        value_name = "DIRECTIVES",
        default_value = "info,sqlx::postgres::notice=warn"
    )]
    pub(crate) rust_log: String,

    /// Threads that serve HTTP [default: one for each core]
    #[arg(long, global = true, env = "HTTP_WORKERS", value_name = "N",
        value_parser = value_parser!(u16).range(1..=256))]
    pub(crate) http_workers: Option<u16>,

    /// Passwords that are hashed at once; each takes 19 MiB and a core [default: half as many as cores]
    #[arg(long, global = true, env = "PASSWORD_THREADS", value_name = "N",
        value_parser = value_parser!(u16).range(1..=64))]
    password_threads: Option<u16>,

    /// Most readings that wait for the ingest writer; more are answered with 503
    #[arg(long, global = true, env = "INGEST_QUEUE_READINGS", value_name = "N", default_value_t = 100_000,
        value_parser = value_parser!(u32).range(10_000..=10_000_000))]
    pub(crate) ingest_queue_readings: u32,

    /// Most bytes of memory that those readings take
    #[arg(long, global = true, env = "INGEST_QUEUE_BYTES", value_name = "BYTES", default_value_t = 33_554_432,
        value_parser = value_parser!(u32).range(4_194_304..=1_073_741_824))]
    pub(crate) ingest_queue_bytes: u32,

    /// Whether this instance sums up closed hours in the background, which makes rollups fast; answers
    /// are the same without, and one instance that does it is enough
    #[arg(
        long,
        global = true,
        env = "ROLLUP_HOURS",
        value_name = "SWITCH",
        value_enum,
        default_value = "on"
    )]
    rollup_hours: Switch,

    /// How much older than the newest reading of its metric one may be to be judged by alert rules: within this
    /// it does not matter in which order readings arrive; the same on all instances
    #[arg(long, global = true, env = "ALERT_LATENESS", value_name = "DURATION", default_value = "10m",
        value_parser = lateness)]
    alert_lateness: Duration,

    /// Whether devices and owners have quotas of readings, and passwords can be tried only so often; more is
    /// answered with 429
    #[arg(
        long,
        global = true,
        env = "RATE_LIMITS",
        value_name = "SWITCH",
        value_enum,
        default_value = "on"
    )]
    rate_limits: Switch,

    /// Readings a second that a device may post on average, and 60 times as many (at least 10000)
    /// at once; each instance counts for itself
    #[arg(long, global = true, env = "RATE_LIMIT_DEVICE", value_name = "N", default_value_t = 1_000,
        value_parser = value_parser!(u32).range(1..=i64::from(MAX_RATE)))]
    rate_limit_device: u32,

    /// The same for all devices of an owner together
    #[arg(long, global = true, env = "RATE_LIMIT_OWNER", value_name = "N", default_value_t = 20_000,
        value_parser = value_parser!(u32).range(1..=i64::from(MAX_RATE)))]
    rate_limit_owner: u32,

    #[command(flatten)]
    pub(crate) throttle: ThrottleSettings,

    #[command(flatten)]
    pub(crate) mail: MailSettings,

    #[command(flatten)]
    pub(crate) web: Web,
}

/// At most a day: a reading that late has everything since then judged again.
fn lateness(text: &str) -> Result<Duration, String> {
    let duration = Duration::parse(text).map_err(|error| error.to_string())?;
    if duration.seconds() > 86_400 {
        return Err("must be at most 1d".to_owned());
    }
    Ok(duration)
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line
    Json,
    /// For people
    Pretty,
}

impl Settings {
    /// How many passwords are hashed at once: where nothing is said, the rest of the cores is for all else.
    pub(crate) fn password_threads(&self) -> usize {
        let half = || thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        self.password_threads.map_or_else(half, usize::from).max(1)
    }

    /// The database to work with, if one was named.
    pub(crate) fn database(&self) -> Result<Option<DbSettings>, Failure> {
        let url = self.database_url.as_ref();
        url.map(|url| self.database_at("DATABASE_URL", &url.0))
            .transpose()
    }

    /// The database at this URL, with the settings that hold for any.
    pub(crate) fn database_at(&self, name: &str, url: &str) -> Result<DbSettings, Failure> {
        let mut settings = DbSettings::parse(url).map_err(|error| format!("{name} {error}"))?;
        settings.max_connections = self.database_max_connections;
        settings.ingest_connections = self.ingest_connections;
        settings.prepared_statements = self.database_prepared_statements;
        let timeout = self.database_statement_timeout.seconds();
        settings.statement_timeout = std::time::Duration::from_secs(timeout.into());
        Ok(settings)
    }

    /// Whether closed hours are summed up here.
    pub(crate) fn rollup_hours(&self) -> bool {
        matches!(self.rollup_hours, Switch::On)
    }

    /// How late a reading may be to be judged.
    pub(crate) fn alert_lateness(&self) -> TimeDelta {
        self.alert_lateness.into()
    }

    /// The quotas of readings, if there are any.
    pub(crate) fn rate_limits(&self) -> Option<RateLimitSettings> {
        match self.rate_limits {
            Switch::Off => None,
            Switch::On => Some(RateLimitSettings {
                device_per_second: self.rate_limit_device,
                owner_per_second: self.rate_limit_owner,
            }),
        }
    }

    /// The URL to migrate over, if a database was named.
    pub(crate) fn migration_url(&self) -> Result<Option<&str>, Failure> {
        for (name, url) in [
            ("DATABASE_DIRECT_URL", &self.database_direct_url),
            ("DATABASE_URL", &self.database_url),
        ] {
            if let Some(Secret(url)) = url {
                self.database_at(name, url)?;
                return Ok(Some(url));
            }
        }
        Ok(None)
    }

    /// The secret that was given, if it is long enough.
    pub(crate) fn auth_secret(&self) -> Result<Option<Vec<u8>>, Failure> {
        let secret = self.auth_secret.as_ref();
        secret.map(|it| it.bytes("AUTH_SECRET")).transpose()
    }

    /// The secret before it, if one was given that is long enough; an empty one is none.
    pub(crate) fn auth_secret_previous(&self) -> Result<Option<Vec<u8>>, Failure> {
        let secret = self.auth_secret_previous.as_ref();
        let secret = secret.filter(|it| !it.0.is_empty());
        secret
            .map(|it| it.bytes("AUTH_SECRET_PREVIOUS"))
            .transpose()
    }
}
