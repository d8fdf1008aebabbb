//! Windows without readings, windows that are open or cut, and how many readings there should be.

use super::*;

const FIVE: &str = "start=2026-01-31T11:00:00Z&end=2026-01-31T16:00:00Z";

/// What each bucket tells of these members, as text.
fn told(answer: &Answer, members: [&str; 2]) -> Vec<String> {
    let both = |it: &Value| members.map(|member| it[member].to_string()).join(" ");
    buckets(answer, 0).iter().map(both).collect()
}

#[tokio::test]
async fn windows_without_readings_are_left_out_or_filled() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    for (fill, expected) in [
        ("", vec!["2 1.75", "1 -3"]),
        ("&fill=none", vec!["2 1.75", "1 -3"]),
        (
            "&fill=null",
            vec!["0 null", "2 1.75", "0 null", "1 -3", "0 null"],
        ),
        (
            "&fill=previous",
            vec!["0 null", "2 1.75", "0 1.75", "1 -3", "0 -3"],
        ),
        (
            "&fill=linear",
            vec!["0 null", "2 1.75", "0 -0.625", "1 -3", "0 null"],
        ),
        ("&fill=0", vec!["0 0", "2 1.75", "0 0", "1 -3", "0 0"]),
        (
            "&fill=-7.25",
            vec!["0 -7.25", "2 1.75", "0 -7.25", "1 -3", "0 -7.25"],
        ),
    ] {
        let path = device.path(&format!(
            "/rollups?metric=t&interval=1h&agg=avg&{FIVE}{fill}"
        ));
        let answer = user.get(&path).await.expect(200);
        assert_eq!(told(&answer, ["count", "avg"]), expected, "{fill}");
        let all = buckets(&answer, 0);
        for pair in all.windows(2).filter(|_| all.len() == 5) {
            assert_eq!(pair[0]["end"], pair[1]["start"]);
        }
    }
}

#[tokio::test]
async fn every_metric_and_device_is_filled_also_those_without_a_reading() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let silent = user.device().await;
    let ids = format!("device_id={}&device_id={}", device.id, silent.id);
    for (fill, told) in [
        ("null", Value::Null),
        ("previous", Value::Null),
        ("5", json!(5)),
    ] {
        let query = format!("metric=t&metric=none&interval=1h&agg=max,p95&{FIVE}&fill={fill}");
        let answer = user
            .get(&format!("/rollups?{ids}&{query}"))
            .await
            .expect(200);
        assert_eq!(answer.data().len(), 4);
        for series in 1..4 {
            let all = buckets(&answer, series);
            assert_eq!(all.len(), 5);
            for bucket in all {
                assert_eq!(
                    (&bucket["count"], &bucket["max"]),
                    (&json!(0), &told),
                    "{fill}"
                );
                assert_eq!(bucket["p95"], told, "{fill}");
            }
        }
    }
}

#[tokio::test]
async fn buckets_are_partial_where_they_are_open_or_cut_by_the_range() {
    let app = App::start().await;
    let (user, device) = with_readings(&app).await;
    let partial = async |query: &str| {
        let path = device.path(&format!("/rollups?metric=t&fill=null&{query}"));
        let answer = user.get(&path).await.expect(200);
        let all = buckets(&answer, 0)
            .iter()
            .map(|it| it["partial"].as_bool().unwrap());
        all.collect::<Vec<_>>()
    };
    let cut = "interval=1h&start=2026-01-31T11:30:00Z&end=2026-01-31T14:00:00.000001Z";
    assert_eq!(partial(cut).await, [true, false, false, true]);
    assert_eq!(partial(&format!("interval=1h&{FIVE}")).await, [false; 5]);
    // Without an end it goes on to the end of the window that is open.
    let start = (now() - TimeDelta::days(2)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let open = partial(&format!("interval=1y&start={start}")).await;
    assert!(open.iter().all(|it| *it), "{open:?}");
    let hours = partial("interval=1h").await;
    let (last, closed) = hours.split_last().unwrap();
    assert!(*last && closed.iter().all(|it| !it), "{hours:?}");
    assert_eq!(closed.len(), 24);
    // What has not begun is not complete either.
    let end = (now() + TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let ahead = partial(&format!("interval=12h&start={start}&end={end}")).await;
    assert!(
        ahead[0] && !ahead[1] && ahead[ahead.len() - 2..] == [true, true],
        "{ahead:?}"
    );
}

#[tokio::test]
async fn completeness_tells_how_many_readings_were_to_be_expected() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let start = time("2026-01-31T12:00:00Z");
    // One a minute for three hours, but for twenty minutes of the second one; none in the fourth.
    let minutes = (0..180).filter(|n| !(80..100).contains(n));
    let all = minutes.map(|n| reading_at(start + TimeDelta::minutes(n), n));
    device.ingest_text(&batch(all)).await.expect(200);
    let counts = async |query: &str| {
        let path = device.path(&format!(
            "/rollups?metric=t&interval=1h&agg=max&completeness=true&{query}"
        ));
        let answer = user.get(&path).await.expect(200);
        told(&answer, ["count", "expected_count"])
    };
    let four = "start=2026-01-31T12:00:00Z&end=2026-01-31T16:00:00Z";
    assert_eq!(counts(four).await, ["60 60", "40 60", "60 60"]);
    for fill in ["null", "previous", "linear", "0"] {
        let filled = counts(&format!("{four}&fill={fill}")).await;
        assert_eq!(filled, ["60 60", "40 60", "60 60", "0 60"], "{fill}");
    }
    // Only of what lies in the range.
    let cut = "start=2026-01-31T12:30:00Z&end=2026-01-31T13:15:00Z";
    assert_eq!(counts(cut).await, ["30 30", "15 15"]);
    // Before there were two readings, nobody can tell.
    let early = "start=2026-01-31T11:00:00Z&end=2026-01-31T12:00:30Z&fill=0";
    assert_eq!(counts(early).await, ["0 null", "1 null"]);
}

#[tokio::test]
async fn of_a_window_that_is_open_only_what_has_passed_is_expected() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let all = (0..240).map(|n| reading_at(now() - TimeDelta::seconds(30 * n), n));
    device.ingest_text(&batch(all)).await.expect(200);
    let start = (now() - TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let end = (now() + TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let path = format!("/rollups?metric=t&interval=1y&completeness=true&start={start}&end={end}");
    let answer = user.get(&device.path(&path)).await.expect(200);
    let expected = |it: &Value| it["expected_count"].as_i64().unwrap();
    let sum: i64 = buckets(&answer, 0).iter().map(expected).sum();
    assert!((119..=125).contains(&sum), "{}", answer.text);
}

#[tokio::test]
async fn of_several_devices_together_all_readings_are_expected() {
    let app = App::start().await;
    let user = app.user().await;
    let start = time("2026-01-31T12:00:00Z");
    let mut ids = Vec::new();
    for seconds in [60, 30] {
        let device = user.device().await;
        let all =
            (0..3_600 / seconds).map(|n| reading_at(start + TimeDelta::seconds(seconds * n), 1));
        device.ingest_text(&batch(all)).await.expect(200);
        ids.push(format!("device_id={}", device.id));
    }
    let range = "start=2026-01-31T12:00:00Z&end=2026-01-31T13:00:00Z";
    let query = format!(
        "{}&metric=t&interval=1h&completeness=true&{range}",
        ids.join("&")
    );
    let answer = user
        .get(&format!("/rollups?{query}&combine=true"))
        .await
        .expect(200);
    assert_eq!(told(&answer, ["count", "expected_count"]), ["180 180"]);
    let answer = user.get(&format!("/rollups?{query}")).await.expect(200);
    assert_eq!(told(&answer, ["count", "expected_count"]), ["60 60"]);
    assert_eq!(buckets(&answer, 1)[0]["expected_count"], 120);
}
