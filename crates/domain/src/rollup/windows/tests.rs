//! Windows cover their range without a gap, in every zone.

use super::*;
use proptest::prelude::*;

fn edges(interval: &str, zone: &str, start: &str, end: &str) -> Vec<String> {
    let range = (start.parse().unwrap(), end.parse().unwrap());
    let zone = Zone::parse(zone).unwrap();
    let windows = Windows::covering(Interval::parse(interval).unwrap(), zone, range).unwrap();
    let text = |at: &Timestamp| at.format("%Y-%m-%dT%H:%M").to_string();
    windows.edges().iter().map(text).collect()
}

#[test]
fn days_have_23_and_25_hours_where_clocks_change() {
    let spring = edges(
        "1d",
        "Europe/Berlin",
        "2026-03-28T23:00:00Z",
        "2026-03-30T00:00:00Z",
    );
    assert_eq!(
        spring,
        ["2026-03-28T23:00", "2026-03-29T22:00", "2026-03-30T22:00"]
    );
    let autumn = edges(
        "1d",
        "Europe/Berlin",
        "2026-10-25T12:00:00Z",
        "2026-10-25T13:00:00Z",
    );
    assert_eq!(autumn, ["2026-10-24T22:00", "2026-10-25T23:00"]);
}

#[test]
fn weeks_begin_on_monday_and_longer_windows_on_the_first() {
    let at = ("2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z");
    assert_eq!(
        edges("1w", "UTC", at.0, at.1),
        ["2026-11-16T00:00", "2026-11-23T00:00", "2026-11-30T00:00"]
    );
    assert_eq!(
        edges("1mo", "UTC", at.0, at.1),
        ["2026-11-01T00:00", "2026-12-01T00:00"]
    );
    assert_eq!(
        edges("1q", "UTC", at.0, at.1),
        ["2026-10-01T00:00", "2027-01-01T00:00"]
    );
    assert_eq!(
        edges("1y", "UTC", at.0, at.1),
        ["2026-01-01T00:00", "2027-01-01T00:00"]
    );
    assert_eq!(
        edges("10y", "UTC", at.0, at.1),
        ["2020-01-01T00:00", "2030-01-01T00:00"]
    );
}

#[test]
fn short_windows_begin_with_the_hours_of_the_clock_and_do_not_stop_for_its_changes() {
    let india = edges(
        "1h",
        "Asia/Kolkata",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:40:00Z",
    );
    assert_eq!(
        india,
        ["2025-12-31T23:30", "2026-01-01T00:30", "2026-01-01T01:30"]
    );
    let berlin = edges(
        "6h",
        "Europe/Berlin",
        "2026-03-28T23:00:00Z",
        "2026-03-29T12:00:00Z",
    );
    assert_eq!(
        berlin,
        [
            "2026-03-28T23:00",
            "2026-03-29T05:00",
            "2026-03-29T11:00",
            "2026-03-29T17:00"
        ]
    );
}

#[test]
fn windows_are_the_same_whenever_the_range_begins() {
    let end = "2026-07-01T00:00:00Z";
    for (interval, zone) in [
        ("6h", "Europe/Berlin"),
        ("12h", "America/New_York"),
        ("1h", "Australia/Lord_Howe"),
        ("7m", "Asia/Kolkata"),
    ] {
        let winter = edges(interval, zone, "2026-06-29T12:00:00Z", end);
        let summer = edges(interval, zone, "2026-06-30T00:00:00Z", end);
        assert!(winter.ends_with(&summer), "{interval} {zone}");
    }
    let across = edges("6h", "Europe/Berlin", "2026-03-01T00:00:00Z", end);
    let after = edges("6h", "Europe/Berlin", "2026-06-01T00:00:00Z", end);
    assert!(across.ends_with(&after));
    assert_eq!(after[0], "2026-05-31T23:00");
}

#[test]
fn a_day_that_a_calendar_left_out_has_no_window() {
    let samoa = edges(
        "1d",
        "Pacific/Apia",
        "2011-12-29T12:00:00Z",
        "2011-12-31T00:00:00Z",
    );
    assert_eq!(
        samoa,
        ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]
    );
}

/// Windows cover their range, follow each other, and do not depend on where the range begins.
fn check(interval: Interval, zone: Zone, range: (Timestamp, Timestamp)) {
    let what = || format!("{interval:?} {zone:?} {range:?}");
    let windows = Windows::covering(interval, zone, range).unwrap();
    let edges = windows.edges();
    assert!(edges.is_sorted_by(|a, b| a < b), "{}", what());
    assert!(edges[0] <= range.0 && range.0 < edges[1], "{}", what());
    let [.., before, last] = edges else {
        panic!("{}", what())
    };
    assert!(*before < range.1 && range.1 <= *last, "{}", what());
    let counted = count(interval, zone, range);
    assert!(
        counted.abs_diff(i64::try_from(windows.iter().count()).unwrap()) <= 2,
        "{}",
        what()
    );
    // Of a year of hours some will do.
    let step = match interval.fixed_seconds() {
        Some(_) => edges.len() / 20 + 1,
        None => 1,
    };
    for pair in edges.windows(2).step_by(step) {
        let alone = Windows::covering(interval, zone, (pair[0], pair[1])).unwrap();
        assert_eq!(alone.edges(), pair, "{}", what());
    }
}

fn usual(index: usize) -> Interval {
    Interval::parse(["1h", "1d", "1w", "1mo", "3h", "15m", "7d", "1q", "1y"][index]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn windows_are_contiguous(
        zone in 0..chrono_tz::TZ_VARIANTS.len(), interval in 0_usize..9,
        start in 631_152_000_i64..2_145_916_800, days in 1_i64..100,
    ) {
        let zone = Zone::all().nth(zone).unwrap();
        let start = Timestamp::from_timestamp(start, 0).unwrap();
        check(usual(interval), zone, (start, start + TimeDelta::days(days)));
    }
}

#[test]
#[ignore = "every zone and year takes a minute"]
fn windows_are_contiguous_in_every_zone_and_year() {
    for zone in Zone::all() {
        for year in 1990..=2037 {
            let begin = |year| zone.first_instant(NaiveDate::from_ymd_opt(year, 1, 1).unwrap());
            for interval in 0..4 {
                check(usual(interval), zone, (begin(year), begin(year + 1)));
            }
        }
    }
}
