//! How long an answer may be, and how long it may take.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn too_many_buckets_are_refused_with_the_maximum_and_a_way_out() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let ask = async |end: &str| {
        let range = format!("start=2026-01-31T00:00:00Z&end={end}");
        let path = device.path(&format!("/rollups?metric=t&interval=1s&agg=count&{range}"));
        user.get(&path).await
    };
    ask("2026-01-31T03:03:20Z").await.expect(200);
    let answer = ask("2026-01-31T03:03:21Z").await;
    let answer = answer
        .problem(422, "validation_failed")
        .blames("interval", "too_many_buckets");
    let detail = answer.text_at("/detail");
    assert!(
        detail.contains("11000") || detail.contains("11,000"),
        "{detail}"
    );
}

#[tokio::test]
async fn the_maximum_of_buckets_holds_over_all_metrics() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    // 1,440 minutes for each of eight metrics are 11,520.
    let metrics = |n: usize| {
        (0..n)
            .map(|n| format!("metric=m{n}&"))
            .collect::<Vec<_>>()
            .concat()
    };
    let path = |n| device.path(&format!("/rollups?{}interval=1m&{DAY}", metrics(n)));
    user.get(&path(7)).await.expect(200);
    let refused = user.get(&path(8)).await.problem(422, "validation_failed");
    assert!(
        refused.text.contains("11000") && refused.text.contains("5m"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_limit_on_buckets_is_named_with_an_interval_that_fits() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let ask = async |query: &str| {
        user.get(&device.path(&format!("/rollups?{query}&{DAY}")))
            .await
    };
    ask("metric=t&interval=1h&limit=24").await.expect(200);
    ask("metric=t&interval=15m&limit=96&fill=0")
        .await
        .expect(200);
    // What windows have readings does not matter.
    for (query, words) in [
        (
            "metric=t&interval=1h&limit=23",
            ["24 ", "23 ", "such as 2h,"],
        ),
        (
            "metric=t&metric=u&interval=1h&limit=47",
            ["48 ", "47 ", "such as 2h,"],
        ),
        (
            "metric=t&interval=5m&limit=24&fill=0",
            ["288 ", "24 ", "such as 1h,"],
        ),
        (
            "metric=t&metric=u&interval=1d&limit=1",
            ["2 ", "1 ", "take a shorter range"],
        ),
    ] {
        let refused = ask(query).await.problem(422, "validation_failed");
        let refused = refused.blames("interval", "too_many_buckets");
        let detail = refused.text_at("/detail");
        for word in words.iter().chain(&["11000"]) {
            assert!(detail.contains(word), "{query}: {detail}");
        }
    }
    let both = "device_id=@&metric=t&interval=1h".replace('@', &device.id);
    let query = format!("{both}&device_id={}&{DAY}", user.device().await.id);
    let refused = user.get(&format!("/rollups?{query}&limit=47")).await;
    let refused = refused.problem(422, "validation_failed");
    refused.blames("interval", "too_many_buckets");
    let combined = format!("/rollups?{query}&limit=24&combine=true");
    user.get(&combined).await.expect(200);
}

#[tokio::test]
async fn the_interval_is_chosen_for_as_many_buckets_as_are_wanted() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    for (query, interval, most) in [
        ("", "5m", 500),
        ("&max_points=24", "1h", 24),
        ("&max_points=23", "2h", 23),
        ("&max_points=1", "1d", 1),
        ("&max_points=11000", "10s", 11_000),
        ("&max_points=500&limit=24", "1h", 24),
        ("&max_points=500&limit=24&metric=u", "2h", 12),
    ] {
        let path = device.path(&format!(
            "/rollups?metric=t&interval=auto&fill=null&{DAY}{query}"
        ));
        let answer = user.get(&path).await.expect(200);
        assert_eq!(answer.body["interval"], interval, "{query}");
        assert!(buckets(&answer, 0).len() <= most, "{query}");
        assert_eq!(buckets(&answer, 0)[0]["start"], "2026-01-31T00:00:00Z");
    }
    let longest = "start=0001-01-01T00:00:00Z&end=9999-01-01T00:00:00Z";
    let path = device.path(&format!(
        "/rollups?metric=t&interval=auto&max_points=10&{longest}"
    ));
    let refused = user.get(&path).await.problem(422, "validation_failed");
    let refused = refused.blames("interval", "too_many_buckets");
    assert!(
        refused.text_at("/detail").contains("limit of 10 "),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_told_what_to_ask_less_of() {
    let limit = ("DATABASE_STATEMENT_TIMEOUT", "1s".to_owned());
    let app = App::start_with(&[limit]).await;
    let (user, device) = with_readings(&app).await;
    let question = format!("metric=t&interval=1h&agg=p95&{DAY}");
    let paths = [
        device.path(&format!("/rollups?{question}")),
        format!("/rollups?device_id={}&{question}", device.id),
        format!("/rollups?search=&combine=true&{question}"),
    ];
    let sql = app.sql().await;
    sql.run("begin; lock table samples in access exclusive mode")
        .await
        .unwrap();
    for path in &paths {
        let began = Instant::now();
        let answer = user.get(path).await.problem(503, "query_timeout");
        assert!(began.elapsed() < Duration::from_secs(4));
        assert!(!answer.header("retry-after").is_empty());
        let detail = answer.text_at("/detail");
        for word in ["shorter range", "fewer devices or metrics", "percentiles"] {
            assert!(detail.contains(word), "{detail}");
        }
    }
    sql.run("rollback").await.unwrap();
    for path in &paths {
        let answer = user.get(path).await.expect(200);
        assert_eq!(buckets(&answer, 0).len(), 2);
    }
}
