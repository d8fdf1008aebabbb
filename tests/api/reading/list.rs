//! `GET /devices/{id}/readings`, `/metrics` and `/latest`.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use crate::support::{
    App, Client, Device, Point, User, ago, batch, points, reading, reading_at, time,
};

/// A device with readings `0, 1, 2, …` of `t`, one a second.
async fn with_readings(app: &App, count: i64) -> (User, Device, DateTime<Utc>) {
    let user = app.user().await;
    let device = user.device().await;
    let start = ago(count + 60);
    let all = (0..count).map(|n| reading_at(start + TimeDelta::seconds(n), n));
    device.ingest_text(&batch(all)).await.expect(200);
    (user, device, start)
}

async fn values(client: &Client, path: &str) -> Vec<i64> {
    let points = points(&client.get(path).await.expect(200));
    points.iter().map(number).collect()
}

fn number(point: &Point) -> i64 {
    point.value().parse().unwrap()
}

fn query_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[tokio::test]
async fn readings_come_in_the_order_of_measurement_either_way() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for second in [3, 1, 4, 2, 0] {
        device
            .ingest_text(&reading_at(ago(100 - second), second))
            .await
            .expect(201);
    }
    let path = device.path("/readings");
    assert_eq!(values(&user, &path).await, [0, 1, 2, 3, 4]);
    assert_eq!(
        values(&user, &format!("{path}?order=asc")).await,
        [0, 1, 2, 3, 4]
    );
    assert_eq!(
        values(&user, &format!("{path}?order=desc")).await,
        [4, 3, 2, 1, 0]
    );
}

#[tokio::test]
async fn a_range_has_its_start_and_not_its_end() {
    let app = App::start().await;
    let (user, device, start) = with_readings(&app, 10).await;
    let at = |second| query_time(start + TimeDelta::seconds(second));
    let path = device.path("/readings");
    for (query, expected) in [
        (format!("start={}", at(7)), vec![7, 8, 9]),
        (format!("end={}", at(3)), vec![0, 1, 2]),
        (format!("start={}&end={}", at(3), at(5)), vec![3, 4]),
        (
            format!("start={}&end={}&order=desc", at(3), at(5)),
            vec![4, 3],
        ),
        (format!("start={}&end={}", at(100), at(200)), vec![]),
    ] {
        assert_eq!(
            values(&user, &format!("{path}?{query}")).await,
            expected,
            "{query}"
        );
    }
    // An offset, its plus sign encoded, is the same instant.
    let offset = (start + TimeDelta::seconds(8))
        .with_timezone(&chrono::FixedOffset::east_opt(7200).unwrap());
    let query = format!("start={}", offset.to_rfc3339().replace('+', "%2B"));
    assert_eq!(values(&user, &format!("{path}?{query}")).await, [8, 9]);
}

#[tokio::test]
async fn readings_can_be_narrowed_to_metrics() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let at = ago(9);
    let all = ["a", "b", "c"].map(|metric| reading(metric, at, 1));
    device.ingest_text(&batch(all)).await.expect(200);
    let metrics = async |query: &str| {
        let path = device.path(&format!("/readings{query}"));
        let points = points(&user.get(&path).await.expect(200));
        points.into_iter().map(|it| it.metric).collect::<Vec<_>>()
    };
    assert_eq!(metrics("?metric=b").await, ["b"]);
    let mut two = metrics("?metric=c&metric=a").await;
    two.sort();
    assert_eq!(two, ["a", "c"]);
    assert_eq!(metrics("").await.len(), 3);
    assert_eq!(metrics("?metric=unknown").await, [""; 0]);
}

#[tokio::test]
async fn pages_of_readings_have_no_gap_though_times_are_equal() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let metrics = ["a", "b", "c"];
    let all = (0..40).flat_map(|n| metrics.map(|metric| reading(metric, ago(100 - n), n)));
    device.ingest_text(&batch(all)).await.expect(200);
    for order in ["asc", "desc"] {
        let path = device.path(&format!("/readings?order={order}"));
        let whole = user.get(&format!("{path}&limit=500")).await.expect(200);
        assert_eq!(whole.data().len(), 120);
        for limit in [1, 7, 50] {
            let pages = user.all(&format!("{path}&limit={limit}")).await;
            assert_eq!(&pages, whole.data(), "{order} {limit}");
        }
    }
    let first = user
        .get(&device.path("/readings?limit=7"))
        .await
        .expect(200);
    let cursor = first.text_at("/next_cursor");
    assert!(
        first.header("link").contains(cursor),
        "{}",
        first.header("link")
    );
    assert!(first.header("link").contains(r#"rel="next""#));
}

#[tokio::test]
async fn a_cursor_is_steady_while_data_arrives() {
    let app = App::start().await;
    // What arrives lies behind the cursor: newer readings from the newest on, late ones from the oldest on.
    for (order, first, step) in [("desc", 100, 1), ("asc", -1, -1)] {
        let (user, device, start) = with_readings(&app, 100).await;
        let path = device.path(&format!("/readings?order={order}&limit=10"));
        let mut seen = Vec::new();
        let mut page = user.get(&path).await.expect(200);
        let mut arriving = first;
        loop {
            seen.extend(points(&page).iter().map(number));
            let Some(cursor) = page.body["next_cursor"].as_str() else {
                break;
            };
            let next = format!("{path}&cursor={cursor}");
            let at = start + TimeDelta::seconds(arriving);
            let reading = reading_at(at, arriving);
            device.ingest_text(&reading).await.expect(201);
            arriving += step;
            page = user.get(&next).await.expect(200);
        }
        if order == "desc" {
            seen.reverse();
        }
        assert_eq!(seen, (0..100).collect::<Vec<_>>(), "{order}");
    }
}

#[tokio::test]
async fn the_latest_reading_is_the_one_measured_last() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let path = device.path("/latest");
    assert_eq!(user.get(&path).await.expect(200).body, json!({"data": []}));
    for (metric, second, value) in [("t", 50, 1), ("t", 10, 2), ("t", 30, 3), ("b", 99, 4)] {
        device
            .ingest_text(&reading(metric, ago(second), value))
            .await
            .expect(201);
    }
    let latest = async |query: &str| {
        let points = points(&user.get(&format!("{path}{query}")).await.expect(200));
        let pair = |point: &Point| (point.metric.clone(), number(point));
        points.iter().map(pair).collect::<Vec<_>>()
    };
    let (b, t) = (("b".to_owned(), 4), ("t".to_owned(), 2));
    assert_eq!(latest("").await, [b.clone(), t.clone()]);
    assert_eq!(latest("?metric=t").await, [t]);
    assert_eq!(latest("?metric=b&metric=x").await, [b]);
}

#[tokio::test]
async fn the_latest_reading_is_found_however_long_ago_it_was() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let years = |n: i64| ago(n * 366 * 86_400);
    for (metric, at, value) in [
        ("oldest", time("2000-01-01T00:00:00Z"), 1),
        ("old", years(9), 2),
        ("old", years(8), 3),
        ("silent", years(1), 4),
        ("month", ago(40 * 86_400), 5),
        ("now", ago(1), 6),
        ("now", years(20), 7),
        ("ahead", ago(-300), 8),
    ] {
        let reading = reading(metric, at, value);
        device.ingest_text(&reading).await.expect(201);
    }
    let latest = user.get(&device.path("/latest")).await.expect(200);
    let pair = |point: &Point| (point.metric.clone(), number(point));
    let latest: Vec<_> = points(&latest).iter().map(pair).collect();
    let expected = [
        ("ahead", 8),
        ("month", 5),
        ("now", 6),
        ("old", 3),
        ("oldest", 1),
        ("silent", 4),
    ];
    assert_eq!(
        latest,
        expected.map(|(metric, value)| (metric.to_owned(), value))
    );
}

#[tokio::test]
async fn metrics_tell_when_they_were_first_and_last_measured() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let path = device.path("/metrics");
    assert_eq!(user.get(&path).await.expect(200).body, json!({"data": []}));
    let (first, middle, last) = (ago(300), ago(200), ago(100));
    let all = [
        reading("t", middle, 1),
        reading("t", last, 1),
        reading("t", first, 1),
        reading("B", middle, 1),
    ];
    device.ingest_text(&batch(all)).await.expect(200);
    let answer = user.get(&path).await.expect(200);
    assert_eq!(
        (
            answer.text_at("/data/0/metric"),
            answer.text_at("/data/1/metric")
        ),
        ("B", "t")
    );
    assert_eq!(answer.time_at("/data/0/first_recorded_at"), middle);
    assert_eq!(answer.time_at("/data/0/last_recorded_at"), middle);
    assert_eq!(answer.time_at("/data/1/first_recorded_at"), first);
    assert_eq!(answer.time_at("/data/1/last_recorded_at"), last);
}

#[tokio::test]
async fn a_question_for_readings_is_refused_with_the_parameter_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for (query, parameter, code) in [
        ("start=yesterday", "start", "invalid_value"),
        ("end=2026-01-01", "end", "invalid_value"),
        ("order=random", "order", "invalid_value"),
        ("limit=0", "limit", "invalid_value"),
        ("limit=501", "limit", "invalid_value"),
        ("cursor=e30", "cursor", "invalid_value"),
        ("metric=9", "metric", "invalid_value"),
        ("since=2026-01-01T00:00:00Z", "since", "unknown_parameter"),
    ] {
        let answer = user.get(&device.path(&format!("/readings?{query}"))).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
    let answer = user.get(&device.path("/latest?metrics=t")).await;
    answer
        .problem(422, "validation_failed")
        .blames("metrics", "unknown_parameter");
}
