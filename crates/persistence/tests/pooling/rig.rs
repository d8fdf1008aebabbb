//! A migrated database behind a pooler.

use embedded::{PgBouncer, PgBouncerSettings, Postgres, Settings};

pub(crate) struct Rig {
    pub(crate) postgres: Postgres,
    pooler: PgBouncer,
    folder: tempfile::TempDir,
}

impl Rig {
    /// A migrated database behind a pooler with so many server connections.
    pub(crate) async fn start(pool_size: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let postgres = Postgres::start(Settings::new(folder.path().join("postgres")))
            .await
            .unwrap();
        migration::up(&postgres.url()).await.unwrap();
        let settings = PgBouncerSettings::new(folder.path().join("pgbouncer"), pool_size);
        let pooler = PgBouncer::start(&postgres, settings).await.unwrap();
        Self {
            postgres,
            pooler,
            folder,
        }
    }

    pub(crate) fn pooled_url(&self) -> String {
        self.pooler.url_for("readout")
    }

    pub(crate) async fn stop(self) {
        self.pooler.stop().await.unwrap();
        self.postgres.stop().await.unwrap();
        drop(self.folder);
    }
}
