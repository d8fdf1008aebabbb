//! The `PgBouncer` before it.

use std::sync::Arc;

use embedded::{PgBouncer, PgBouncerSettings, Postgres, find_postgres};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::rig::{Holder, folder, is_alive, start, wait_until};

async fn bounced(folder: &TempDir, loopback: bool) -> (Postgres, PgBouncer) {
    let postgres = start(folder).await;
    let mut settings = PgBouncerSettings::new(folder.path().join("pgbouncer"), 2);
    settings.loopback = loopback;
    let bouncer = PgBouncer::start(&postgres, settings).await.unwrap();
    (postgres, bouncer)
}

#[tokio::test]
async fn many_clients_share_as_many_connections_as_the_pool_has() {
    let folder = folder();
    let (postgres, bouncer) = bounced(&folder, false).await;
    let bouncer = Arc::new(bouncer);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let bouncer = Arc::clone(&bouncer);
        clients.spawn(async move {
            let sql = "SELECT pg_backend_pid() FROM pg_sleep(0.2)";
            bouncer.psql("readout", sql).await.unwrap()
        });
    }
    let mut backends = clients.join_all().await;
    backends.sort();
    backends.dedup();
    assert_eq!(backends.len(), 2, "{backends:?}");
    let mode = bouncer.psql("pgbouncer", "SHOW POOLS").await.unwrap();
    let readout = mode.lines().find(|line| line.starts_with("readout|"));
    assert!(readout.unwrap().ends_with("|transaction"), "{mode}");
    Arc::into_inner(bouncer).unwrap().stop().await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_bouncer_can_be_started_again_on_its_port() {
    let folder = folder();
    let (postgres, bouncer) = bounced(&folder, true).await;
    let (port, pid) = (bouncer.port(), bouncer.pid().unwrap());
    bouncer.kill().await.unwrap();
    assert_eq!(bouncer.pid(), None);
    assert!(!is_alive(pid));
    assert!(bouncer.psql("readout", "SELECT 1").await.is_err());

    bouncer.restart().await.unwrap();
    assert_eq!(bouncer.port(), port);
    assert_eq!(bouncer.psql("readout", "SELECT 1").await.unwrap(), "1");
    bouncer.stop().await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn its_urls_work_for_libpq() {
    let folder = folder();
    for loopback in [false, true] {
        let (postgres, bouncer) = bounced(&folder, loopback).await;
        let mut psql = std::process::Command::new(find_postgres(None).unwrap().program("psql"));
        let question = [
            "-XAtc",
            "SELECT current_database()",
            &bouncer.url_for("readout"),
        ];
        let output = psql.args(question).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "readout\n");
        bouncer.stop().await.unwrap();
        postgres.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_bouncer_ends() {
    let folder = folder();
    let (postgres, bouncer) = bounced(&folder, false).await;
    let pid = bouncer.pid().unwrap();
    drop(bouncer);
    wait_until("its end", || !is_alive(pid));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_bouncer_that_outlived_its_program_makes_way() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("pgbouncer")).unwrap();
    let mut holder = Holder::start(&folder);
    let (server, orphan) = (holder.server(), holder.server());
    holder.kill();
    assert!(is_alive(orphan));

    let (postgres, bouncer) = bounced(&folder, false).await;
    assert_eq!(postgres.pid(), Some(server));
    wait_until("the end of the orphan", || !is_alive(orphan));
    assert_eq!(bouncer.psql("readout", "SELECT 1").await.unwrap(), "1");
    bouncer.stop().await.unwrap();
    postgres.stop().await.unwrap();
}
