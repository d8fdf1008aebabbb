//! Why there is a `Db`.

use crate::rig::Rig;
use crate::{INSTANCES, TASKS};
use sea_orm::{ConnectionTrait, Database, Statement};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The same database through a plain `SeaORM` connection, as it comes.
///
/// `SeaORM` names its prepared statements, and a named statement lives on the server connection, which
/// the pooler hands to someone else after each transaction. Statements fail, or run with the
/// parameters of others. Run it with `cargo test -p persistence -- --ignored`.
#[tokio::test]
#[ignore = "demonstrates a defect of the plain use, which is why there is a Db"]
async fn a_plain_seaorm_connection_fails_behind_a_pooler() {
    let rig = Rig::start(2).await;
    rig.postgres
        .psql(
            "readout",
            "create table plain (id integer primary key, n integer)",
        )
        .await
        .unwrap();
    let failures = AtomicUsize::new(0);
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        let mut options = sea_orm::ConnectOptions::new(rig.pooled_url());
        options
            .max_connections(8)
            .map_sqlx_postgres_opts(|it| it.extra_float_digits(None));
        instances.push(Database::connect(options).await.unwrap());
    }
    let one = async |task: usize| {
        let db = &instances[task % INSTANCES];
        for round in 0..100 {
            let id = i32::try_from(task * 1000 + round).unwrap();
            let insert = "insert into plain values ($1, $2)";
            let insert = Statement::from_sql_and_values(
                sea_orm::DbBackend::Postgres,
                insert,
                [id.into(), id.into()],
            );
            let select = "select n from plain where id = $1";
            let select =
                Statement::from_sql_and_values(sea_orm::DbBackend::Postgres, select, [id.into()]);
            let stored = db.execute_raw(insert).await.is_ok();
            let read = db.query_one_raw(select).await.ok().flatten();
            let right = read.is_some_and(|row| row.try_get_by_index::<i32>(0).ok() == Some(id));
            if !(stored && right) {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    futures_util::future::join_all((0..INSTANCES * TASKS).map(one)).await;
    let failures = failures.into_inner();
    println!("{failures} of {} rounds failed", INSTANCES * TASKS * 100);
    assert!(
        failures > 0,
        "the pooler or SeaORM has changed: this may no longer be needed"
    );
    drop(instances);
    rig.stop().await;
}
