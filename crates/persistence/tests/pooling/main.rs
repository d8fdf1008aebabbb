//! Entities behind a pooler in transaction mode: right through `Db`, and why not otherwise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod plain;
mod rig;

use domain::{
    Timestamp,
    alert_rule::{NewAlertRule, Target},
    device::{DeviceChange, DeviceId, DeviceKey, NewDevice},
    mail::{MailId, NewMail},
    page::PageLimit,
    session::{Client, RefreshToken},
    user::Email,
    version::Expected,
};
use persistence::{
    Db, DbSettings,
    alert_rule::{self, AlertRuleFilter},
    device,
    idempotency::Once,
    session::{self, OwnerId},
    user,
};
use rig::Rig;
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Instances, tasks of each, and rounds of each task; a round is nine transactions.
const INSTANCES: usize = 2;
const TASKS: usize = 8;
const ROUNDS: usize = 30;

fn now() -> Timestamp {
    "2026-01-01T00:00:00.123456Z".parse().unwrap()
}

/// 256 bits that differ from call to call.
fn bits() -> [u8; 32] {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut bits = [0; 32];
    bits[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bits
}

/// One user's life with devices and rules; every row is read back and compared.
async fn rounds(db: &Db, task: usize) {
    let email = Email::parse(&format!("user{task}@example.com")).unwrap();
    let sign_up = user::SignUp {
        mail: NewMail::password_changed(MailId(uuid::Uuid::now_v7()), email.clone()),
        email,
        name: None,
        password_hash: format!("hash of {task}"),
    };
    let token = RefreshToken::new(bits());
    let client = Client {
        user_agent: Some(format!("task {task}")),
        ip: None,
    };
    let (person, session) = user::insert(db, &sign_up, &token, &client, now())
        .await
        .unwrap();
    let found = user::find_by_email(db, &sign_up.email).await.unwrap();
    assert_eq!(found, Some((person.clone(), sign_up.password_hash)));
    let owner = session::authenticate(db, session.id, person.id, now())
        .await
        .unwrap()
        .unwrap();

    for round in 0..ROUNDS {
        let device = one_device(db, owner, task, round).await;
        one_rule(db, owner, device, task, round).await;
        if round % 3 == 0 {
            let deleted = device::delete(db, owner, device, &Expected::Any, now()).await;
            assert_eq!(deleted.unwrap(), Some(Ok(())));
            assert_eq!(device::find(db, owner, device).await.unwrap(), None);
        }
    }
}

/// A device is provisioned, found, changed, and listed.
async fn one_device(db: &Db, owner: OwnerId, task: usize, round: usize) -> DeviceId {
    let name = format!("device {task} {round}");
    let new = json!({"name": name, "metadata": {"task": task, "round": round}});
    let new: NewDevice = serde_json::from_value(new).unwrap();
    let new = (&new, &DeviceKey::new(bits()));
    let made = device::insert(db, owner, new, &Once::freely(), now()).await;
    let made = made.unwrap().done().unwrap();
    let read = device::find(db, owner, made.id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&made));

    let change: DeviceChange = serde_json::from_value(json!({"metadata": {"more": name}})).unwrap();
    let changed = device::update(db, owner, made.id, (&change, &Expected::Any), now()).await;
    let changed = changed.unwrap().unwrap().unwrap();
    let read = device::find(db, owner, made.id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&changed));

    let filter = device::DeviceFilter {
        search: Some(name),
        ..device::DeviceFilter::default()
    };
    let devices = device::list(db, owner, &filter, None, limit())
        .await
        .unwrap();
    assert!(devices.items.iter().any(|it| it.id == made.id));
    made.id
}

/// A rule is armed on the device, found and listed, with every digit.
async fn one_rule(db: &Db, owner: OwnerId, device: DeviceId, task: usize, round: usize) {
    let threshold = format!("{round}.{task:03}");
    let new: NewAlertRule = serde_json::from_str(&format!(
        r#"{{"metric": "m{task}", "comparator": "gt", "threshold": {threshold}}}"#
    ))
    .unwrap();
    let (target, condition) = (Target::Device(device), new.condition().unwrap());
    let new = (&new, condition);
    let rule = alert_rule::insert(db, owner, &target, new, &Once::freely(), now()).await;
    let rule = rule.unwrap().done().unwrap().unwrap().unwrap();
    assert_eq!(rule.condition.threshold().to_string(), threshold);
    let read = alert_rule::find(db, owner, rule.id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&rule));
    let filter = AlertRuleFilter {
        device_id: Some(device),
    };
    let rules = alert_rule::list(db, owner, filter, None, limit()).await;
    assert_eq!(rules.unwrap().unwrap().items, [rule]);
}

fn limit() -> PageLimit {
    PageLimit::try_from(500).unwrap()
}

#[tokio::test]
async fn two_instances_with_eight_tasks_share_two_server_connections_without_an_error() {
    let rig = Rig::start(2).await;
    let instances: Vec<Db> = (0..INSTANCES)
        .map(|_| Db::new(&DbSettings::parse(&rig.pooled_url()).unwrap()))
        .collect();
    let all = tokio::task::LocalSet::new();
    let tasks: Vec<_> = (0..INSTANCES * TASKS)
        .map(|task| {
            let db = instances[task % INSTANCES].clone();
            all.spawn_local(async move { rounds(&db, task).await })
        })
        .collect();
    all.await;
    for task in tasks {
        task.await.unwrap();
    }
    let kept = rig
        .postgres
        .psql(
            "readout",
            "select count(*) from devices where deleted_at is null",
        )
        .await
        .unwrap();
    assert_eq!(
        kept.trim(),
        (INSTANCES * TASKS * ROUNDS * 2 / 3).to_string()
    );
    let used = "select count(*) from pg_stat_activity where datname = 'readout' and application_name = 'readout'";
    let used: usize = rig
        .postgres
        .psql("postgres", used)
        .await
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(used <= 2, "{used} server connections");
    for db in instances {
        db.close().await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn work_that_swallows_the_error_of_a_statement_cannot_commit() {
    let rig = Rig::start(2).await;
    let db = Db::new(&DbSettings::parse(&rig.pooled_url()).unwrap());
    let outcome = db
        .transaction("test", async |tx| {
            tx.execute_unprepared("create table kept (id integer)")
                .await?;
            let _ = tx.execute_unprepared("select 1 / 0").await;
            Ok(())
        })
        .await;
    assert!(outcome.is_err(), "{outcome:?}");
    let kept = rig
        .postgres
        .psql("readout", "select to_regclass('kept') is null")
        .await
        .unwrap();
    assert_eq!(kept.trim(), "t");
    db.close().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_transaction_that_deadlocks_is_tried_again() {
    let rig = Rig::start(2).await;
    let setup = "create table pair (id integer primary key, n integer not null); insert into pair values (1, 0), (2, 0)";
    rig.postgres.psql("readout", setup).await.unwrap();
    let db = Db::new(&DbSettings::parse(&rig.pooled_url()).unwrap());
    let add = async |first: i32, second: i32| {
        db.transaction("test", async |tx| {
            for id in [first, second] {
                tx.execute_unprepared(&format!("update pair set n = n + 1 where id = {id}"))
                    .await?;
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            Ok(())
        })
        .await
    };
    let (a, b) = tokio::join!(add(1, 2), add(2, 1));
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    let sum = rig
        .postgres
        .psql("readout", "select sum(n) from pair")
        .await
        .unwrap();
    assert_eq!(sum.trim(), "4");
    db.close().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_transaction_open() {
    let rig = Rig::start(2).await;
    let mut settings = DbSettings::parse(&rig.pooled_url()).unwrap();
    settings.max_connections = 1;
    let db = Db::new(&settings);
    for millis in 0..40 {
        let work = db.transaction("test", async |tx| {
            tx.execute_unprepared("select pg_sleep(0.01)").await?;
            Ok(())
        });
        let patience = std::time::Duration::from_micros(millis * 500);
        let _ = tokio::time::timeout(patience, work).await;
    }
    let after = db
        .transaction("test", async |tx| {
            Ok(tx.execute_unprepared("select 1").await?)
        })
        .await;
    assert!(after.is_ok(), "{after:?}");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let open = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
    assert_eq!(
        rig.postgres.psql("postgres", open).await.unwrap().trim(),
        "0"
    );
    db.close().await;
    rig.stop().await;
}
