//! Which windows a range has, and what is refused.

use super::*;

fn windows(
    start: Option<&str>,
    end: Option<&str>,
    resolution: Resolution,
    series: usize,
) -> Result<RollupWindows, RollupError> {
    let parse = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    let range = OpenRange {
        start: parse(start),
        end: parse(end),
    };
    let now = "2026-11-23T12:34:56Z".parse().unwrap();
    let limit = BucketLimit::default();
    RollupWindows::new(range, resolution, Zone::default(), series, limit, now)
}

fn every(interval: &str) -> Resolution {
    Resolution::Every(Interval::parse(interval).unwrap())
}

#[test]
fn too_many_buckets_are_refused_with_a_way_out() {
    let start = Some("2026-01-01T00:00:00Z");
    assert!(windows(start, Some("2026-01-01T03:03:20Z"), every("1s"), 1).is_ok());
    let error = windows(start, Some("2026-01-01T03:03:21Z"), every("1s"), 1).unwrap_err();
    let suggestion = Some("5s".to_owned());
    assert_eq!(
        error,
        RollupError::TooManyBuckets {
            buckets: 11_001,
            limit: MAX_BUCKETS,
            suggestion
        }
    );
    let error = windows(
        Some("0001-01-01T00:00:00Z"),
        Some("9999-01-01T00:00:00Z"),
        every("1s"),
        1,
    );
    assert!(matches!(error, Err(RollupError::TooManyBuckets { .. })));
    let error = windows(start, Some("2026-01-02T00:00:00Z"), every("1h"), 1_000);
    assert!(matches!(
        error,
        Err(RollupError::TooManyBuckets {
            buckets: 24_000,
            ..
        })
    ));
    assert_eq!(
        windows(start, start, every("1s"), 1),
        Err(RollupError::EmptyRange)
    );
}

#[test]
fn open_ends_are_moved_to_the_edges_of_windows() {
    let range = |start, end, interval| {
        let windows = windows(start, end, every(interval), 1).unwrap();
        [windows.start, windows.end].map(|at| at.format("%dT%H:%M:%S").to_string())
    };
    assert_eq!(range(None, None, "1h"), ["22T12:00:00", "23T13:00:00"]);
    assert_eq!(range(None, None, "1d"), ["22T00:00:00", "24T00:00:00"]);
    assert_eq!(
        range(Some("2026-11-20T00:00:01Z"), None, "1h"),
        ["20T00:00:01", "23T13:00:00"]
    );
    assert_eq!(
        range(None, Some("2026-11-20T00:00:01Z"), "1h"),
        ["19T00:00:01", "20T00:00:01"]
    );
    let future = windows(Some("2027-01-01T00:00:00Z"), None, every("1h"), 1);
    assert_eq!(future, Err(RollupError::EmptyRange));
}

#[test]
fn the_interval_is_the_shortest_that_fits() {
    for (points, expected) in [(1, "1d"), (24, "1h"), (100, "15m"), (11_000, "10s")] {
        let (start, end) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"));
        let windows = windows(start, end, Resolution::AtMost(points), 1).unwrap();
        assert_eq!(String::from(windows.interval), expected);
    }
    let auto = Resolution::AtMost(11_000);
    let many = windows(None, None, auto, 500).unwrap();
    assert!(many.windows.iter().count() * 500 <= 11_000);
}

#[test]
fn buckets_that_are_open_or_cut_are_partial() {
    let windows = windows(Some("2026-11-23T10:30:00Z"), None, every("1h"), 1).unwrap();
    let partial: Vec<_> = windows
        .windows
        .iter()
        .map(|(start, end)| Bucket {
            start,
            end,
            count: 0,
            values: Vec::new(),
        })
        .map(|it| {
            (
                windows.is_partial(&it),
                windows.expected(&it, TimeDelta::seconds(10)),
            )
        })
        .collect();
    assert_eq!(partial, [(true, 180), (false, 360), (true, 210)]);
}

#[test]
fn a_limit_is_named_with_an_interval_that_fits() {
    let refused = |limit: &str, resolution, series, words: &[&str]| {
        let at = |text: &str| Some(text.parse().unwrap());
        let range = OpenRange {
            start: at("2026-01-01T00:00:00Z"),
            end: at("2026-01-02T00:00:00Z"),
        };
        let limit = BucketLimit::try_from(limit.to_owned()).unwrap();
        let now = "2026-11-23T12:34:56Z".parse().unwrap();
        let zone = Zone::default();
        let windows = RollupWindows::new(range, resolution, zone, series, limit, now);
        let message = windows.map_err(|error| error.to_string());
        if words.is_empty() {
            assert!(message.is_ok(), "{message:?}");
            return;
        }
        let message = message.unwrap_err();
        for word in words {
            assert!(message.contains(word), "{message}");
        }
    };
    refused("24", every("1h"), 1, &[]);
    let limit = "48 buckets are more than the limit of 24 (which may be up to 11000)";
    refused("24", every("1h"), 2, &[limit, "such as 2h,"]);
    refused(
        "11000",
        every("1s"),
        1,
        &["86400 buckets are more than the maximum of 11000"],
    );
    // Not even a bucket for each series.
    let limit = "2 buckets are more than the limit of 1";
    refused(
        "1",
        every("1d"),
        2,
        &[limit, ": take a shorter range, or fewer series"],
    );
    refused("1", Resolution::AtMost(10), 2, &[limit]);
    refused("3", Resolution::AtMost(10), 1, &[]);
}
