//! Other work of the background that goes on while hours are summed up.

use crate::rig::Rig;
use domain::Timestamp;
use persistence::{Db, DbSettings, StoreError, Tx, partition, rollup};
use sea_orm::ConnectionTrait;
use std::time::Duration;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Two instances and a database with a series that has a sample, whose hour is marked.
async fn two_instances(rig: &Rig) -> [Db; 2] {
    let sql = "insert into users (id, email, name, created_at, updated_at) \
               values ('00000000-0000-0000-0000-000000000001', 'ada@example.com', 'Ada', now(), now()); \
               insert into devices (id, owner_id, name, device_key, key_prefix, offline_after, created_at, updated_at) \
               select id, id, 'Boiler', 'key', 'rdk_', 300, now(), now() from users; \
               insert into series (device_id, metric, created_at) select id, 't', now() from devices; \
               insert into samples select id, '2020-01-01T00:00:00Z', 1 from series; \
               insert into stale_hours select id, 438288 from series";
    rig.postgres.psql("readout", sql).await.unwrap();
    let instance = || Db::new(&DbSettings::parse(&rig.pooled_url()).unwrap());
    [instance(), instance()]
}

/// Runs a statement and keeps what it has locked for a while.
async fn hold(db: &Db, sql: &str) {
    let work = async |tx: &Tx| {
        tx.execute_unprepared(sql).await?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Ok(())
    };
    db.transaction("test", work).await.unwrap();
}

async fn later<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    work.await
}

async fn step(db: &Db) -> Result<u64, StoreError> {
    rollup::step(db, now(), &mut rollup::Summing::default()).await
}

#[tokio::test]
async fn partitions_are_made_while_hours_are_summed_up() {
    let rig = Rig::start(6).await;
    let [one, other] = two_instances(&rig).await;
    let ((), summed_up, made) = tokio::join!(
        hold(&other, "lock table stale_hours in access exclusive mode"),
        later(step(&one)),
        later(later(partition::ensure_ahead(&other, now()))),
    );
    assert!(made.unwrap());
    assert!(summed_up.unwrap() > 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_series_may_go_while_its_hours_are_summed_up() {
    let rig = Rig::start(6).await;
    let [one, other] = two_instances(&rig).await;
    // As a purge does in the end.
    let purge = "delete from samples; delete from series";
    let ((), summed_up) = tokio::join!(hold(&other, purge), later(step(&one)),);
    summed_up.unwrap();
    let kept = "select count(*) from series_hours";
    assert_eq!(
        rig.postgres.psql("readout", kept).await.unwrap().trim(),
        "0"
    );
    rig.stop().await;
}
