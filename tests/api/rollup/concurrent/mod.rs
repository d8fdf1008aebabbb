//! Both instances take readings, sum up hours and answer for a minute, and no answer is ever stale.

mod dashboard;
mod plain;
mod writer;

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{App, Random, Sql, User, eventually};
use dashboard::Dashboard;
use writer::Writer;

const MINUTE: Duration = Duration::from_mins(1);

const WRITERS: usize = 6;

/// Of these the devices are deleted while they post.
const DELETED: usize = 2;

const DASHBOARDS: usize = 3;

/// What was going on, so that it can be told whether anything was proved.
#[derive(Debug, Default)]
struct Tally {
    answers: Cell<usize>,
    /// Answers that had readings.
    filled: Cell<usize>,
    /// Most marks that were there at once.
    marks: Cell<usize>,
}

#[tokio::test]
async fn for_a_minute_of_everything_at_once_no_answer_is_stale() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    let seed = Uuid::new_v4().as_u128();
    println!("seed {seed}");
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        writers.push(Writer::new(user.device().await));
    }
    let (sql, tally, until) = (app.sql().await, Tally::default(), Instant::now() + MINUTE);
    let writing = writers.iter().zip(1..).map(|(writer, number)| {
        let mut random = Random(seed.wrapping_add(number) | 1);
        async move { writer.write(&mut random, until).await }
    });
    let asking = (0..DASHBOARDS).zip(100..).map(|(_, number)| {
        let random = Random(seed.wrapping_add(2 * number) | 1);
        Dashboard::new(&user, &writers, random).ask(&tally, until)
    });
    tokio::join!(
        join_all(writing),
        join_all(asking),
        delete_some(&user, &writers),
        watch(&sql, &tally, until),
    );
    let quiet = async || sql.one("select count(*) from stale_hours").await == "0";
    eventually("every hour is summed up", MINUTE, quiet).await;
    let left = &writers[DELETED..];
    for writer in left {
        let stored = format!(
            "select count(*) from samples join series on series.id = series_id where device_id = '{}'",
            writer.device.id
        );
        assert_eq!(sql.one(&stored).await, writer.acknowledged().to_string());
    }
    let compared = plain::compare(&user, &sql, left).await;
    assert_much_went_on(&app, &sql, &tally, compared).await;
}

async fn delete_some(user: &User, writers: &[Writer]) {
    for writer in &writers[..DELETED] {
        tokio::time::sleep(MINUTE / 4).await;
        writer.deleting.set(true);
        user.delete(&writer.device.path("")).await.expect(204);
        writer.deleted.set(true);
    }
}

/// Looks how many marks there are.
async fn watch(sql: &Sql, tally: &Tally, until: Instant) {
    while Instant::now() < until {
        let marks = sql.one("select count(*) from stale_hours").await;
        tally
            .marks
            .set(tally.marks.get().max(marks.parse().unwrap()));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn assert_much_went_on(app: &App, sql: &Sql, tally: &Tally, compared: usize) {
    let count = async |what: &str| sql.one(what).await.parse::<usize>().unwrap();
    let hours = count("select count(*) from series_hours").await;
    let summed_up =
        "select n_tup_ins + n_tup_upd from pg_stat_user_tables where relname = 'series_hours'";
    let summed_up = count(summed_up).await;
    println!("{tally:?}, {compared} windows compared, {hours} hours kept, {summed_up} summed up");
    assert!(tally.answers.get() > 100, "{tally:?}");
    assert!(tally.filled.get() > 50, "{tally:?}");
    assert!(tally.marks.get() > 10, "{tally:?}");
    assert!(compared > 100, "{compared} windows");
    assert!(hours > 20, "{hours} hours are kept");
    assert!(
        summed_up > 2 * hours,
        "{hours} hours were summed up {summed_up} times"
    );
    for server in &app.servers {
        assert_eq!(server.complaints(), Vec::<String>::new());
    }
}
