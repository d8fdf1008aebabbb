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
    hold_and(db, sql, "select 1").await;
}

/// Runs a statement, keeps what it has locked for a while, and runs another one.
async fn hold_and(db: &Db, sql: &str, then: &str) {
    let work = async |tx: &Tx| {
        tx.execute_unprepared(sql).await?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        tx.execute_unprepared(then).await?;
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

/// Sums up until there is nothing left, and answers what is kept of an hour.
async fn kept(rig: &Rig, db: &Db, hour: i64) -> String {
    while step(db).await.unwrap() > 0 {}
    let sql = format!("select sum(count) from series_hours where hour = {hour}");
    let count = rig.postgres.psql("readout", &sql).await.unwrap();
    count.trim().to_owned()
}

#[tokio::test]
async fn a_partition_with_its_first_samples_comes_while_a_step_is_planned() {
    let rig = Rig::start(6).await;
    let [one, other] = two_instances(&rig).await;
    // As whoever makes a partition does it, and as those who store samples of its month do at once.
    let locks = "lock table only samples in share update exclusive mode; \
                 lock table samples_default in access exclusive mode";
    let month = "create table samples_2020_02 (like samples including defaults including constraints); \
                 alter table samples attach partition samples_2020_02 \
                 for values from ('2020-02-01T00:00:00Z') to ('2020-03-01T00:00:00Z'); \
                 insert into samples select id, '2020-02-01T00:00:00Z', 1 from series; \
                 insert into stale_hours select id, 439032 from series";
    let ((), summed_up) = tokio::join!(hold_and(&other, locks, month), later(step(&one)));
    summed_up.unwrap();
    assert_eq!(kept(&rig, &one, 439_032).await, "1");
    rig.stop().await;
}

#[tokio::test]
async fn an_hour_closes_only_after_those_who_store_in_it_without_a_mark() {
    let rig = Rig::start(6).await;
    let [one, other] = two_instances(&rig).await;
    let begin = "update rollup_horizon set marking_hour = 490896, closed_hour = 490896";
    rig.postgres.psql("readout", begin).await.unwrap();
    // As ingest does it: the hour is still open, so there is no mark.
    let store = "select lock_marking_hour(); \
                 insert into samples select id, '2026-01-01T00:10:00Z', 1 from series";
    let much_later = "2026-01-01T01:30:00Z".parse().unwrap();
    let mut summing = rollup::Summing::default();
    let stepping = rollup::step(&one, much_later, &mut summing);
    let ((), stepped) = tokio::join!(hold(&other, store), later(stepping));
    stepped.unwrap();
    while rollup::step(&one, much_later, &mut summing).await.unwrap() > 0 {}
    assert_eq!(kept(&rig, &one, 490_896).await, "1");
    rig.stop().await;
}

#[tokio::test]
async fn partitions_are_made_while_hours_are_summed_up() {
    let rig = Rig::start(6).await;
    let [one, other] = two_instances(&rig).await;
    // Else its sample would have to be moved, which waits for everyone.
    let of_the_sample = "2020-01-01T00:00:00Z".parse().unwrap();
    partition::ensure_ahead(&one, of_the_sample).await.unwrap();
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
