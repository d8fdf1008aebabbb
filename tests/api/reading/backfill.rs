//! Years of readings in no order, and instances that start all at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::support::{App, Database, Device, Server, Sql, batch, eventually, reading_at, time};

const READINGS: i64 = 3_000;

/// Months of ten years.
const MONTHS: i64 = 120;

/// A time for each number, all over the ten years, none twice.
fn random_time(n: i64) -> DateTime<Utc> {
    // The high bits of a linear congruence are random enough to be in no order.
    let random = (n + 1).wrapping_mul(6_364_136_223_846_793_005) >> 33;
    let second = random.rem_euclid(MONTHS * 30 * 86_400);
    time("2012-01-15T00:00:00Z") + TimeDelta::seconds(second) + TimeDelta::microseconds(n)
}

fn bodies() -> Vec<String> {
    let numbers: Vec<_> = (0..READINGS).collect();
    let part = |part: &[i64]| batch(part.iter().map(|n| reading_at(random_time(*n), n)));
    numbers.chunks(300).map(part).collect()
}

async fn assert_all_there(sql: &Sql) {
    let sum = sql
        .one("select count(*) || ' ' || sum(value) from samples")
        .await;
    assert_eq!(sum, format!("{READINGS} {}", READINGS * (READINGS - 1) / 2));
}

/// Posts readings of today, one after the other, until told to stop.
async fn today(device: &Device, stop: &AtomicBool) {
    let start = crate::support::ago(3_000);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let body = reading_at(start + TimeDelta::milliseconds(n), 0);
        device.ingest_text(&body).await.expect(201);
    }
}

#[tokio::test]
async fn ten_years_in_no_order_are_stored_once_and_hurt_nobody() {
    let app = App::start().await;
    let user = app.user().await;
    let (device, other) = (user.device().await, user.device().await);
    let bodies = bodies();
    let stop = AtomicBool::new(false);
    let backfill = async {
        // Each batch twice, on both instances at once.
        let posts = bodies.iter().flat_map(|body| {
            [0, 1].map(|instance| {
                let device = device.on(instance);
                async move { device.post_text("/readings", body).await.expect(200) }
            })
        });
        let (mut accepted, mut duplicates) = (0, 0);
        for answer in join_all(posts).await {
            accepted += answer.body["accepted"].as_i64().unwrap();
            duplicates += answer.body["duplicates"].as_i64().unwrap();
        }
        assert_eq!((accepted, duplicates), (READINGS, READINGS));
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(backfill, today(&other, &stop));
    let sql = app.sql().await;
    sql.run("delete from samples using series where series.id = series_id and value = 0 and recorded_at > '2026-01-01'")
        .await
        .unwrap();
    assert_all_there(&sql).await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'samples'::regclass";
    let partitions: i64 = sql.one(partitions).await.parse().unwrap();
    // Those of the backfill, of this month and the next two, and the default one.
    assert!(partitions <= MONTHS + 4, "{partitions}");
    let strays = "select count(*) from samples_default";
    assert_ne!(sql.one(strays).await, "0", "this test should leave strays");

    // One that starts later clears up, while everything goes on.
    let third = Server::start(&App::settings(&app.database)).await;
    let listed = async || user.all(&device.path("/readings?limit=500")).await.len();
    eventually("the strays' months", Duration::from_secs(100), async || {
        assert_eq!(listed().await, usize::try_from(READINGS).unwrap());
        sql.one(strays).await == "0"
    })
    .await;
    assert_all_there(&sql).await;
    for server in app.servers.iter().chain([&third]) {
        assert_eq!(server.complaints(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn instances_that_start_at_once_do_not_fail_at_each_others_work() {
    for _ in 0..3 {
        let database = Database::migrated().await;
        let settings = App::settings(&database);
        let servers = join_all((0..4).map(|_| Server::start(&settings))).await;
        let sql = database.sql().await;
        let partitions = "select count(*) from pg_inherits where inhparent = 'samples'::regclass";
        eventually("the partitions", Duration::from_secs(10), async || {
            sql.one(partitions).await == "4"
        })
        .await;
        // What loses against another is tried again for a while before it is given up.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for server in &servers {
            assert_eq!(server.complaints(), Vec::<String>::new());
        }
    }
}
