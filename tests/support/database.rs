//! A database of a test's own.

use std::thread;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use uuid::Uuid;

use super::rig::rig;

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
    /// As well as it goes: the rig removes everything in the end.
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { Sql::connect("postgres").await.run(&drop).await.ok() });
        };
        // Another runtime may be at work on this thread.
        thread::spawn(work).join().ok();
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

    /// The first column of the only row.
    pub(crate) async fn one(&self, sql: &str) -> String {
        let mut column = self.column(sql).await;
        assert_eq!(column.len(), 1, "{sql}");
        column.remove(0)
    }
}
