//! Readings at the bounds of time and number, which must harm nobody.

use std::time::Duration;

use chrono::{DateTime, Datelike, Months, Utc};

use crate::support::{App, Point, ago, batch, eventually, points, reading, reading_at, time};

#[tokio::test]
async fn a_leap_second_is_stored_as_the_second_after_it() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let leap = r#"{"metric": "t", "value": 1, "recorded_at": "2016-12-31T23:59:60Z"}"#;
    let created = device.ingest_text(leap).await.expect(201);
    assert_eq!(created.body["recorded_at"], "2017-01-01T00:00:00Z");
    let after = reading_at(time("2017-01-01T00:00:00Z"), 1);
    let again = device.ingest_text(&after).await.expect(200);
    assert_eq!(again.body["outcome"], "duplicate");
    let mixed = batch([leap.to_owned(), reading_at(ago(1), 2)]);
    let receipt = device.ingest_text(&mixed).await.expect(200);
    assert_eq!(
        (&receipt.body["accepted"], &receipt.body["duplicates"]),
        (&1.into(), &1.into())
    );
}

#[tokio::test]
async fn a_device_has_at_most_a_thousand_metrics_and_keeps_those() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let names = (0..1_010).map(|n| reading(&format!("m{n:04}"), ago(10), n));
    let receipt = device.ingest_text(&batch(names)).await.expect(200);
    assert_eq!(receipt.body["accepted"], 1_000);
    assert_eq!(receipt.body["rejected"], 10);
    assert_eq!(receipt.body["errors"][0]["code"], "too_many_metrics");
    let one_more = reading("another", ago(5), 1);
    let refused = device.ingest_text(&one_more).await;
    refused
        .problem(422, "validation_failed")
        .blames("/metric", "too_many_metrics");
    let metrics = user.get(&device.path("/metrics")).await.expect(200);
    assert_eq!(metrics.data().len(), 1_000);
    let known = metrics.data()[0]["metric"].as_str().unwrap().to_owned();
    device
        .ingest_text(&reading(&known, ago(4), 1))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_backfill_of_many_years_is_all_there_at_every_moment_and_finds_its_partitions() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let months = 60;
    let first: DateTime<Utc> = time("2005-01-15T00:00:00Z");
    let all = (0..months).map(|n| reading_at(first + Months::new(n), first.year()));
    let body = batch(all);
    let receipt = device.ingest_text(&body).await.expect(200);
    assert_eq!(receipt.body["accepted"], months);
    let again = device.ingest_text(&body).await.expect(200);
    assert_eq!(again.body["duplicates"], months);
    let sql = app.sql().await;
    let list = device.path("/readings?metric=t&limit=500");
    eventually(
        "the default partition is empty",
        Duration::from_mins(1),
        async || {
            let listed = points(&user.get(&list).await.expect(200));
            let values: Vec<_> = listed.iter().map(Point::value).collect();
            assert_eq!(
                values.len(),
                months as usize,
                "a reading cannot be seen while samples move"
            );
            device.ingest_text(&body).await.expect(200);
            sql.one("select count(*) from samples_default").await == "0"
        },
    )
    .await;
}

#[tokio::test]
async fn a_stranger_makes_no_partitions() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let old = reading_at(time("2003-03-03T00:00:00Z"), 1);
    user.delete(&device.path("")).await.expect(204);
    device
        .ingest_text(&old)
        .await
        .problem(401, "invalid_device_key");
    let sql = app.sql().await;
    assert_eq!(
        sql.one("select to_regclass('samples_2003_03') is null")
            .await,
        "t"
    );
    let known = user.device().await;
    known.ingest_text(&old).await.expect(201);
    assert_eq!(
        sql.one("select to_regclass('samples_2003_03') is null")
            .await,
        "f"
    );
}
