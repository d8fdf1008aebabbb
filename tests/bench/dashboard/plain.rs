//! Plain SQL over samples, on direct connections, one question at a time on each.

use crate::load::Outcome;
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// Connections without a pooler between.
#[derive(Debug)]
pub(super) struct Connections(Vec<Client>);

impl Connections {
    pub(super) async fn open(url: &str, count: usize) -> Self {
        let mut clients = Vec::new();
        for _ in 0..count {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            // As Readout has it: compiling such a query takes longer than running it.
            client.batch_execute("set jit = off").await.unwrap();
            clients.push(client);
        }
        Self(clients)
    }

    /// Asks over and over on so many connections.
    pub(super) async fn run(&self, sql: &str, clients: usize, time: Duration) -> Outcome {
        let started = Instant::now();
        let ask = async |client: &Client| {
            let mut latencies = Vec::new();
            while latencies.is_empty() || started.elapsed() < time {
                let began = Instant::now();
                client.simple_query(sql).await.unwrap();
                latencies.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            latencies
        };
        let latencies = join_all(self.0.iter().take(clients).map(ask))
            .await
            .concat();
        let outcome = Outcome {
            requests: latencies.len() as u64,
            latencies,
            ..Outcome::default()
        };
        outcome.end(started)
    }
}
