//! Streams of readings that do not come to their end: clients that stall or hang up, and failures half way.

use std::time::Duration;

use reqwest::Response;

use super::export::{CSV, NDJSON};
use crate::support::{App, Device, Proxy, Sql, User, ago, eventually, reading_at};

/// More than fits into all buffers between the service and a client that does not read.
const MANY: usize = 400_000;

async fn with_many(app: &App) -> (User, Device, Sql) {
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(1), 0)).await.expect(201);
    let sql = app.sql().await;
    let fill = format!(
        "insert into samples select id, now() - interval '2 hours' + n * interval '10 milliseconds', n / 1000.000
         from series, generate_series(1, {}) n",
        MANY - 1
    );
    sql.run(&fill).await.unwrap();
    (user, device, sql)
}

/// A stream of which the beginning has come.
async fn begun(user: &User, device: &Device, media_type: &str) -> Response {
    let client = user.on(0).with("accept", media_type);
    let mut response = client.open(&device.path("/readings")).await;
    assert_eq!(response.status(), 200);
    response.chunk().await.unwrap().expect("a beginning");
    response
}

/// How many lines there are until the end, or none where the end is missing.
async fn lines(mut response: Response) -> Option<usize> {
    let mut lines = 0;
    while let Some(chunk) = response.chunk().await.ok()? {
        lines += chunk.split(|byte| *byte == b'\n').count() - 1;
    }
    Some(lines)
}

/// How many connections to the database are at work or in a transaction.
async fn busy(sql: &Sql) -> String {
    let busy = "select count(*) from pg_stat_activity where datname = current_database()
                and pid <> pg_backend_pid() and backend_type = 'client backend' and state <> 'idle'";
    sql.one(busy).await
}

#[tokio::test]
async fn clients_that_stall_or_hang_up_hold_no_connection() {
    let cap = ("DATABASE_MAX_CONNECTIONS", "1".to_owned());
    let app = App::start_with(&[cap]).await;
    let (user, device, sql) = with_many(&app).await;
    let mut stalled = Vec::new();
    for media_type in [CSV, NDJSON, CSV, NDJSON] {
        stalled.push(begun(&user, &device, media_type).await);
    }
    // Buffers fill up, and reading stops.
    eventually("an idle database", Duration::from_secs(20), async || {
        let mut idle = true;
        for _ in 0..5 {
            idle &= busy(&sql).await == "0";
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        idle
    })
    .await;
    let one = user.on(0);
    one.get("/devices").await.expect(200);
    device
        .on_one(0)
        .ingest_text(&reading_at(ago(2), 1))
        .await
        .expect(201);

    let last = stalled.pop().unwrap();
    drop(stalled);
    one.get("/devices").await.expect(200);
    // Who was only slow gets everything.
    let rest = lines(last).await.expect("the end");
    assert!(rest > MANY * 9 / 10, "{rest}");
    eventually("an idle database", Duration::from_secs(5), async || {
        busy(&sql).await == "0"
    })
    .await;
    for server in &app.servers {
        assert!(server.complaints().is_empty(), "{:#?}", server.complaints());
    }
}

#[tokio::test]
async fn a_stream_whose_database_goes_away_is_broken_off() {
    let proxy = Proxy::start().await;
    let app = App::start_behind(&proxy).await;
    let (user, device, _) = with_many(&app).await;
    for media_type in [CSV, NDJSON] {
        let response = begun(&user, &device, media_type).await;
        proxy.cut();
        assert_eq!(lines(response).await, None, "{media_type}");
        let client = user.on(0).with("accept", media_type);
        let refused = client.get(&device.path("/readings")).await;
        refused.problem(503, "unavailable");
        proxy.open();
        eventually("readiness", Duration::from_secs(15), async || {
            user.on(0).get("/devices").await.status == 200
        })
        .await;
    }
    let log = app.servers[0].log();
    let told = log
        .lines()
        .filter(|line| line.contains(r#""code":"unavailable""#));
    assert!(
        told.clone().any(|line| line.contains("request_id")),
        "{log}"
    );
}

#[tokio::test]
async fn a_stream_whose_device_is_deleted_is_broken_off() {
    let app = App::start().await;
    let (user, device, _) = with_many(&app).await;
    let response = begun(&user, &device, CSV).await;
    user.delete(&device.path("")).await.expect(204);
    assert_eq!(lines(response).await, None);
}
