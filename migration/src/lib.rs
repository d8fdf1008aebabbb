//! The schema of Readout's database, as ordered steps that can be applied and taken back.
//!
//! Depends on nothing else of the project, so that an old program can be migrated by a new one.

mod m20261101_000001_accounts;
mod m20261101_000002_devices;
mod m20261101_000003_samples;
mod m20261101_000004_alerts;
mod m20261101_000005_rejections;
mod m20261101_000006_armed_devices;
mod m20261101_000007_store_readings;
mod m20261101_000008_rollup_hours;
mod m20261101_000009_device_tags;
mod m20261101_000010_alert_engine;
mod m20261101_000011_device_status;
mod m20261101_000012_rotation_and_deletion;
mod m20261101_000013_outbox;
mod m20261101_000014_signing_keys;
mod m20261101_000015_api_keys;
mod m20261101_000016_idempotency;
mod m20261101_000018_rules_version;
mod m20261101_000019_throttles;
mod m20261101_000020_device_version;
mod m20261101_000021_api_key_answers;
mod m20261101_000022_familiar_networks;

use sea_orm_migration::{MigrationTrait, MigratorTrait};
use sea_orm_migration::{
    async_trait::async_trait,
    sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, TransactionTrait},
};

pub use sea_orm_migration::sea_orm::DbErr;

/// Key of the transaction-level advisory lock that serialises migrating processes.
///
/// `SeaORM`'s migrator takes no lock of its own, so that two instances which start at the same
/// moment would both try to create the same tables.
const LOCK: i64 = 0x5265_6164_6f75_7401;

/// The list of migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_accounts::Migration),
            Box::new(m20261101_000002_devices::Migration),
            Box::new(m20261101_000003_samples::Migration),
            Box::new(m20261101_000004_alerts::Migration),
            Box::new(m20261101_000005_rejections::Migration),
            Box::new(m20261101_000006_armed_devices::Migration),
            Box::new(m20261101_000007_store_readings::Migration),
            Box::new(m20261101_000008_rollup_hours::Migration),
            Box::new(m20261101_000009_device_tags::Migration),
            Box::new(m20261101_000010_alert_engine::Migration),
            Box::new(m20261101_000011_device_status::Migration),
            Box::new(m20261101_000012_rotation_and_deletion::Migration),
            Box::new(m20261101_000013_outbox::Migration),
            Box::new(m20261101_000014_signing_keys::Migration),
            Box::new(m20261101_000015_api_keys::Migration),
            Box::new(m20261101_000016_idempotency::Migration),
            Box::new(m20261101_000018_rules_version::Migration),
            Box::new(m20261101_000019_throttles::Migration),
            Box::new(m20261101_000020_device_version::Migration),
            Box::new(m20261101_000021_api_key_answers::Migration),
            Box::new(m20261101_000022_familiar_networks::Migration),
        ]
    }
}

/// One migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name, in the order of application.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// Names of all migrations that this program knows, oldest first.
#[must_use]
pub fn names() -> Vec<String> {
    Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect()
}

/// Applies every pending migration in one transaction, and answers how many there were.
///
/// Safe to call from several processes at once, and through a pooler in transaction mode (though a
/// direct connection is better: building a large index may outlive the pooler's time limits).
pub async fn up(url: &str) -> Result<usize, DbErr> {
    let connection = connect(url).await?;
    let tx = begin(&connection).await?;
    let pending = Migrator::get_pending_migrations(&tx).await?.len();
    Migrator::up(&tx, None).await?;
    forget_statements(&tx).await?;
    tx.commit().await?;
    connection.close().await?;
    Ok(pending)
}

/// Takes back the newest `steps` migrations, or all of them, **with the data that they hold**.
pub async fn down(url: &str, steps: Option<u32>) -> Result<(), DbErr> {
    let connection = connect(url).await?;
    let tx = begin(&connection).await?;
    Migrator::down(&tx, steps).await?;
    forget_statements(&tx).await?;
    tx.commit().await?;
    connection.close().await
}

/// Every migration with its state; changes nothing.
pub async fn status(url: &str) -> Result<Vec<Status>, DbErr> {
    let connection = connect(url).await?;
    let tx = begin(&connection).await?;
    let status = Migrator::get_migration_with_status_read_only(&tx)
        .await?
        .into_iter()
        .map(|migration| Status {
            name: migration.name().to_owned(),
            applied: migration.status() == sea_orm_migration::MigrationStatus::Applied,
        })
        .collect();
    forget_statements(&tx).await?;
    tx.commit().await?;
    connection.close().await?;
    Ok(status)
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .connect_timeout(std::time::Duration::from_secs(10))
        .sqlx_logging(false)
        // PgBouncer refuses this start-up parameter unless it is told to ignore it.
        .map_sqlx_postgres_opts(|options| options.extra_float_digits(None));
    Database::connect(options).await
}

/// Opens the one transaction that a run of the migrator happens in.
///
/// Behind a pooler in transaction mode the server connection may already carry prepared statements
/// under the very names that the driver is about to use, so they are dropped first.
#[expect(
    clippy::disallowed_methods,
    reason = "the migrator is the one user of a connection of its own"
)]
async fn begin(
    connection: &DatabaseConnection,
) -> Result<sea_orm_migration::sea_orm::DatabaseTransaction, DbErr> {
    let tx = connection.begin().await?;
    forget_statements(&tx).await?;
    tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
        .await?;
    Ok(tx)
}

/// Leaves no prepared statement behind on a server connection that others will use.
async fn forget_statements(tx: &impl ConnectionTrait) -> Result<(), DbErr> {
    tx.execute_unprepared("DEALLOCATE ALL").await.map(|_| ())
}

/// Defines a migration from its two scripts of SQL, named after the file that it stands in.
macro_rules! migration {
    (up: $up:expr, down: $down:expr $(,)?) => {
        #[derive(sea_orm_migration::prelude::DeriveMigrationName)]
        pub(crate) struct Migration;

        #[sea_orm_migration::async_trait::async_trait]
        impl sea_orm_migration::MigrationTrait for Migration {
            async fn up(
                &self,
                manager: &sea_orm_migration::SchemaManager,
            ) -> Result<(), sea_orm_migration::sea_orm::DbErr> {
                use sea_orm_migration::sea_orm::ConnectionTrait;
                let connection = manager.get_connection();
                connection.execute_unprepared($up).await.map(|_| ())
            }

            async fn down(
                &self,
                manager: &sea_orm_migration::SchemaManager,
            ) -> Result<(), sea_orm_migration::sea_orm::DbErr> {
                use sea_orm_migration::sea_orm::ConnectionTrait;
                let connection = manager.get_connection();
                connection.execute_unprepared($down).await.map(|_| ())
            }
        }
    };
}
use migration;
