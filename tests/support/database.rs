//! A database of a test's own.

use std::thread;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use uuid::Uuid;

use super::{rig::rig, secrets::lines_with_secrets};

/// A database that ends with this value.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// One with the current schema.
    pub(crate) async fn migrated() -> Self {
        Self::make(&format!("TEMPLATE {}", rig().template)).await
    }

    /// One with nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::make("").await
    }

    async fn make(options: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let postgres = Sql::connect("postgres").await;
        postgres
            .run(&format!("CREATE DATABASE {name} {options}"))
            .await
            .unwrap();
        Self { name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The way that the service takes.
    pub(crate) fn service_url(&self) -> String {
        rig().service.url(&self.name)
    }

    /// Past the pooler.
    pub(crate) fn direct_url(&self) -> String {
        rig().direct.url(&self.name)
    }

    /// A connection past the pooler.
    pub(crate) async fn sql(&self) -> Sql {
        Sql::connect(&self.name).await
    }
}

impl Drop for Database {
    /// Looks for secrets, and removes it as well as it goes: the rig removes everything in the end.
    fn drop(&mut self) {
        let name = self.name.clone();
        let has_failed = thread::panicking();
        let work = async move {
            let mut found = Vec::new();
            if !has_failed {
                let sql = Sql::connect(&name).await;
                // What a test has locked and left is not waited for.
                sql.run("set lock_timeout = '5s'").await.unwrap();
                found = lines_with_secrets(&sql.dump().await);
            }
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            Sql::connect("postgres").await.run(&drop).await.ok();
            found
        };
        // Another runtime may be at work on this thread.
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(work)
        };
        let found = thread::spawn(work).join();
        if !has_failed {
            let found = found.expect("the database can be looked through");
            assert!(found.is_empty(), "secrets in the database: {found:#?}");
        }
    }
}

/// A connection for looking at what is really stored. Everything is text, so that no digit is lost.
#[derive(Debug)]
pub(crate) struct Sql {
    client: Client,
}

impl Sql {
    async fn connect(database: &str) -> Self {
        let url = rig().direct.url(database);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client }
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }

    /// Every row, `NULL` as an empty text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.client.simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            SimpleQueryMessage::CommandComplete(_) | _ => None,
        });
        rows.map(|row| {
            (0..row.len())
                .map(|column| row.get(column).unwrap_or_default().to_owned())
                .collect()
        })
        .collect()
    }

    /// The first column of every row.
    pub(crate) async fn column(&self, sql: &str) -> Vec<String> {
        let rows = self.rows(sql).await;
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    }

    /// Every row of every table, as text, as `pg_dump` would write it.
    pub(crate) async fn dump(&self) -> String {
        let tables = "select oid::regclass from pg_class
                      where relkind = 'r' and relnamespace = 'public'::regnamespace";
        let mut all = String::new();
        for table in self.column(tables).await {
            let rows = format!("select row_to_json(it)::text from {table} as it");
            all.push_str(&self.column(&rows).await.join("\n"));
            all.push('\n');
        }
        all
    }

    /// The first column of the only row.
    pub(crate) async fn one(&self, sql: &str) -> String {
        let mut column = self.column(sql).await;
        assert_eq!(column.len(), 1, "{sql}");
        column.remove(0)
    }
}
