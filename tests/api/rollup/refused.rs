//! Questions for rollups that are refused, and those that nearly are.

use super::*;

/// Each with the parameter to blame, and why.
const REFUSED: [(&str, &str, &str); 20] = [
    ("interval=1h", "metric", "missing_parameter"),
    ("metric=t", "interval", "missing_parameter"),
    ("metric=9&interval=1h", "metric", "invalid_value"),
    ("metric=t&interval=1x", "interval", "invalid_value"),
    ("metric=t&interval=0h", "interval", "invalid_value"),
    ("metric=t&interval=3661d", "interval", "invalid_value"),
    ("metric=t&interval=1h&agg=p100", "agg", "invalid_value"),
    ("metric=t&interval=1h&agg=", "agg", "invalid_value"),
    (
        "metric=t&interval=1h&timezone=Mars/Olympus",
        "timezone",
        "invalid_value",
    ),
    (
        "metric=t&interval=1h&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
        "start",
        "empty_range",
    ),
    (
        "metric=t&interval=1h&start=2026-01-01T00:00:00Z&end=2026-01-01T00:00:00Z",
        "start",
        "empty_range",
    ),
    ("metric=t&interval=1h&fill=zero", "fill", "invalid_value"),
    (
        "metric=t&interval=1h&max_points=5",
        "max_points",
        "invalid_combination",
    ),
    (
        "metric=t&interval=auto&max_points=0",
        "max_points",
        "invalid_value",
    ),
    (
        "metric=t&interval=auto&max_points=11001",
        "max_points",
        "invalid_value",
    ),
    ("metric=t&interval=1h&limit=0", "limit", "invalid_value"),
    ("metric=t&interval=1h&limit=11001", "limit", "invalid_value"),
    ("metric=t&interval=1h&limit=x", "limit", "invalid_value"),
    (
        "metric=t&interval=1h&completeness=1",
        "completeness",
        "invalid_value",
    ),
    (
        "metric=t&interval=1h&surprise=1",
        "surprise",
        "unknown_parameter",
    ),
];

#[tokio::test]
async fn a_question_for_rollups_is_refused_with_the_parameter_to_blame() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    for (query, parameter, code) in REFUSED {
        let answer = user.get(&device.path(&format!("/rollups?{query}"))).await;
        answer
            .problem(422, "validation_failed")
            .blames(parameter, code);
    }
}

#[tokio::test]
async fn times_at_the_edge_of_everything_are_no_failure_of_ours() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let edges = [
        "-262143-01-01T00:00:00Z",
        "%2B262142-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ];
    for (n, start) in edges.iter().enumerate() {
        for question in [
            "/rollups?metric=t&interval=366d&",
            "/rollups?metric=t&interval=10y&timezone=Europe/Berlin&",
            "/rollups?metric=t&interval=87840h&agg=stddev&completeness=true&",
            "/rollups?metric=t&interval=10y&agg=p50,first&",
            "/readings?",
        ] {
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
