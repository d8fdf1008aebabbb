//! Equal questions that come at the same moment share an answer, and it is never older than any of them.

use chrono::TimeDelta;
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::support::{App, ago, reading_at};

/// How many ask the same thing all the time.
const CROWD: usize = 24;

#[tokio::test]
async fn in_a_crowd_nobody_is_told_less_than_was_acknowledged_before_asking() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let (start, end) = (ago(7_200), ago(0));
    let path = device.path(&format!(
        "/rollups?metric=t&interval=1h&agg=count&start={}&end={}",
        start.format("%FT%TZ"),
        end.format("%FT%TZ"),
    ));
    let acknowledged = Arc::new(AtomicI64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let writer = async {
        for n in 0..150 {
            let body = reading_at(start + TimeDelta::seconds(20 * n), n);
            device.on_one(0).ingest_text(&body).await.expect(201);
            acknowledged.store(n + 1, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    };
    let one_of_the_crowd = |_| async {
        let user = user.on(0);
        let mut asked = 0;
        while !done.load(Ordering::SeqCst) || asked == 0 {
            let before = acknowledged.load(Ordering::SeqCst);
            let answer = user.get(&path).await.expect(200);
            let buckets = answer.body["data"][0]["buckets"].as_array().cloned();
            let counts = buckets.unwrap_or_default();
            let count: i64 = counts.iter().map(|it| it["count"].as_i64().unwrap()).sum();
            assert!(count >= before, "{count} of at least {before}");
            asked += 1;
        }
    };
    tokio::join!(writer, join_all((0..CROWD).map(one_of_the_crowd)));
}

#[tokio::test]
async fn equal_questions_of_two_owners_are_two_questions() {
    let app = App::start().await;
    let (one, other) = (app.user().await, app.user().await);
    let device = one.device().await;
    device
        .ingest_text(&reading_at(ago(60), 1))
        .await
        .expect(201);
    let path = device.path("/rollups?metric=t&interval=1h");
    let (one, other) = (one.on(0), other.on(0));
    let owners = join_all((0..16).map(|_| one.get(&path)));
    let strangers = join_all((0..16).map(|_| other.get(&path)));
    let (owners, strangers) = tokio::join!(owners, strangers);
    for answer in owners {
        answer.expect(200);
    }
    for answer in strangers {
        answer.problem(404, "not_found");
    }
}
