//! The database to work with: the one that was named, or a private one.

use crate::{Failure, secret, settings::Settings};
use domain::seal::Sealer;
use embedded::Postgres;
use persistence::DbSettings;
use std::path::PathBuf;

/// A database that may be used, and the secret that goes with it.
#[derive(Debug)]
pub(crate) struct Database {
    /// How to reach it.
    pub(crate) settings: DbSettings,
    /// Seals what is stored and must be read again.
    pub(crate) sealer: Sealer,
    /// The private server, where it is one.
    pub(crate) embedded: Option<Postgres>,
}

impl Database {
    /// The database of the settings; a private one is started and brought up to date.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let auth_secret = settings.auth_secret()?;
        let previous = settings.auth_secret_previous()?;
        let sealer = |secret: &[u8]| Sealer::new(secret, previous.as_deref());
        if let Some(database) = settings.database()? {
            let auth_secret = auth_secret.ok_or(
                "AUTH_SECRET is required with DATABASE_URL: at least 32 bytes, the same on all instances, \
                 for example from: openssl rand -hex 32",
            )?;
            return Ok(Self {
                settings: database,
                sealer: sealer(&auth_secret),
                embedded: None,
            });
        }
        let folder = data_dir(settings)?;
        let auth_secret = auth_secret.map_or_else(|| secret::keep(&folder), Ok)?;
        let postgres = start(folder).await?;
        let applied = migration::up(&postgres.url()).await?;
        tracing::info!(applied, "schema is up to date");
        Ok(Self {
            settings: settings.database_at("the private database's URL", &postgres.url())?,
            sealer: sealer(&auth_secret),
            embedded: Some(postgres),
        })
    }
}

/// The folder of the program's own data, as an absolute path.
fn data_dir(settings: &Settings) -> Result<PathBuf, Failure> {
    let folder = &settings.data_dir;
    std::fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|error| format!("DATA_DIR {} cannot be used: {error}", folder.display()).into())
}

/// Starts the private server of the settings.
pub(crate) async fn start_private(settings: &Settings) -> Result<Postgres, Failure> {
    start(data_dir(settings)?).await
}

async fn start(folder: PathBuf) -> Result<Postgres, Failure> {
    Ok(Postgres::start(embedded::Settings::new(folder.join("postgres"))).await?)
}
