//! Questions for rollups that are refused, and those that nearly are.

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
async fn a_question_for_rollups_is_refused_with_the_parameter_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let turned = "start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z";
    let empty = "start=2026-01-01T00:00:00Z&end=2026-01-01T00:00:00Z";
    for (query, parameter, code) in [
        ("interval=1h".to_owned(), "metric", "missing_parameter"),
        ("metric=t".to_owned(), "interval", "missing_parameter"),
        ("metric=9&interval=1h".to_owned(), "metric", "invalid_value"),
        (
            "metric=t&interval=1x".to_owned(),
            "interval",
            "invalid_value",
        ),
        (
            "metric=t&interval=0h".to_owned(),
            "interval",
            "invalid_value",
        ),
        (
            "metric=t&interval=3661d".to_owned(),
            "interval",
            "invalid_value",
        ),
        (
            "metric=t&interval=1h&agg=p100".to_owned(),
            "agg",
            "invalid_value",
        ),
        (
            "metric=t&interval=1h&agg=".to_owned(),
            "agg",
            "invalid_value",
        ),
        (
            "metric=t&interval=1h&timezone=Mars/Olympus".to_owned(),
            "timezone",
            "invalid_value",
        ),
        (
            format!("metric=t&interval=1h&{turned}"),
            "start",
            "empty_range",
        ),
        (
            format!("metric=t&interval=1h&{empty}"),
            "start",
            "empty_range",
        ),
        (
            "metric=t&interval=1h&fill=zero".to_owned(),
            "fill",
            "invalid_value",
        ),
        (
            "metric=t&interval=1h&max_points=5".to_owned(),
            "max_points",
            "invalid_value",
        ),
        (
            "metric=t&interval=auto&max_points=0".to_owned(),
            "max_points",
            "invalid_value",
        ),
        (
            "metric=t&interval=1h&surprise=1".to_owned(),
            "surprise",
            "unknown_parameter",
        ),
    ] {
        let answer = user.get(&device.path(&format!("/rollups?{query}"))).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
}

#[tokio::test]
async fn times_at_the_edge_of_everything_are_no_failure_of_ours() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let edges = [
        "-262143-01-01T00:00:00Z",
        "%2B262142-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ];
    for (n, start) in edges.iter().enumerate() {
        for question in ["/rollups?metric=t&interval=366d&", "/readings?"] {
            let mut queries = vec![format!("start={start}"), format!("end={start}")];
            queries.extend(
                edges[n..]
                    .iter()
                    .map(|end| format!("start={start}&end={end}")),
            );
            for query in queries {
                let answer = user.get(&device.path(&format!("{question}{query}"))).await;
                assert!(
                    [200, 422].contains(&answer.status),
                    "{question}{query}: {}",
                    answer.text
                );
            }
        }
    }
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
