//! The other ways of doing the same.

use crate::load::Outcome;
use crate::rig::Rig;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::{binary_copy::BinaryCopyInWriter, types::Type};

/// Rows that one COPY loads.
const COPIED: i64 = 300_000;

/// One transaction for each reading, as a plain handler does it, on ten direct connections with a
/// prepared statement, without any HTTP around it.
pub(crate) async fn insert_each(rig: &Rig) -> Outcome {
    let admin = rig.direct().await;
    let table = "drop table if exists plain; \
                 create table plain (id uuid primary key default gen_random_uuid(), device_id uuid not null, \
                 metric text not null, value numeric not null, recorded_at timestamptz not null)";
    admin.batch_execute(table).await.unwrap();
    let started = Instant::now();
    let until = started + Duration::from_secs(3);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = rig.direct().await;
        tasks.spawn(async move {
            let sql = "insert into plain (device_id, metric, value, recorded_at) \
                       values (gen_random_uuid(), 'temperature', $1::text::numeric, now())";
            let statement = client.prepare(sql).await.unwrap();
            let mut rows = 0;
            while Instant::now() < until {
                client.execute(&statement, &[&"21.5"]).await.unwrap();
                rows += 1;
            }
            rows
        });
    }
    let rows = tasks.join_all().await.into_iter().sum();
    Outcome::of_rows(rows, started.elapsed().as_secs_f64())
}

/// Binary COPY into a table of the layout of `samples`, in one transaction on one connection.
///
/// The value is copied as text into a column of text beside it, since the driver has no decimal of
/// its own; PostgreSQL's work on the index and the WAL is the same.
pub(crate) async fn copy(rig: &Rig) -> Outcome {
    static SERIES: AtomicI64 = AtomicI64::new(0);
    let client = rig.direct().await;
    let table = "create table if not exists copied (series_id integer not null, recorded_at timestamptz not null, \
                 value text not null, primary key (series_id, recorded_at))";
    client.batch_execute(table).await.unwrap();
    let series = i32::try_from(SERIES.fetch_add(1, Ordering::Relaxed)).unwrap();
    let first: chrono::DateTime<chrono::Utc> = "2020-01-01T00:00:00Z".parse().unwrap();
    let started = Instant::now();
    let sink = client
        .copy_in("copy copied from stdin (format binary)")
        .await
        .unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(
        sink,
        &[Type::INT4, Type::TIMESTAMPTZ, Type::TEXT]
    ));
    for n in 0..COPIED {
        let at = first + chrono::TimeDelta::milliseconds(n);
        let value = format!("{}.{:03}", n % 1000, n % 997);
        writer
            .as_mut()
            .write(&[&series, &at, &value])
            .await
            .unwrap();
    }
    let rows = writer.finish().await.unwrap();
    Outcome::of_rows(rows, started.elapsed().as_secs_f64())
}
