//! The windows of time that readings are sorted into.

use super::{Interval, MAX_BUCKETS, Zone, interval::Width};
use crate::Timestamp;
use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta};

/// Windows that follow each other without a gap and cover a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    edges: Vec<Timestamp>,
    fixed: Option<TimeDelta>,
}

/// From where windows are counted: the first day of a year, a quarter and a month.
fn origin() -> NaiveDate {
    NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default()
}

/// A Monday from which weeks are counted.
fn first_monday() -> NaiveDate {
    origin().checked_add_days(Days::new(2)).unwrap_or_default()
}

impl Windows {
    /// The windows that touch `[start, end)`, which is not empty; none where there are more than
    /// [`MAX_BUCKETS`].
    ///
    /// Windows of fixed length are counted from 2000-01-01 by the clock that was valid at `start`, so that
    /// they begin at full hours of that clock, and go on regardless of its changes. Longer ones begin with
    /// a day of the calendar.
    pub(super) fn covering(
        interval: Interval,
        zone: Zone,
        (start, end): (Timestamp, Timestamp),
    ) -> Option<Self> {
        if count(interval, zone, (start, end)) > MAX_BUCKETS {
            return None;
        }
        let edges = match interval.width() {
            Width::Seconds(seconds) => fixed_edges(seconds, zone, (start, end)),
            width @ (Width::Days(_) | Width::Weeks(_) | Width::Months(_)) => {
                calendar_edges(width, zone, (start, end))
            }
        };
        let fixed = interval.fixed_seconds().map(TimeDelta::seconds);
        Some(Self { edges, fixed })
    }

    /// Where each window begins, and where the last one ends.
    #[must_use]
    pub fn edges(&self) -> &[Timestamp] {
        &self.edges
    }

    /// The length of every window, where it is always the same by definition.
    #[must_use]
    pub fn fixed(&self) -> Option<TimeDelta> {
        self.fixed
    }

    /// Each window's first instant inside and first instant outside.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let ends = self.edges.iter().skip(1);
        self.edges.iter().copied().zip(ends.copied())
    }

    /// The first instant of the first window, and the first instant after the last one.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((*self.edges.first()?, *self.edges.last()?))
    }
}

/// How many windows touch `[start, end)`, to within one or two where the calendar is odd.
pub(super) fn count(interval: Interval, zone: Zone, (start, end): (Timestamp, Timestamp)) -> i64 {
    let last = end - TimeDelta::microseconds(1);
    match interval.width() {
        Width::Seconds(seconds) => {
            let anchor = anchor(zone, start);
            slot(seconds, anchor, last) - slot(seconds, anchor, start) + 1
        }
        width @ (Width::Days(_) | Width::Weeks(_) | Width::Months(_)) => {
            index(width, zone.date(last)) - index(width, zone.date(start)) + 1
        }
    }
}

fn anchor(zone: Zone, start: Timestamp) -> i64 {
    let origin = origin().and_time(chrono::NaiveTime::MIN).and_utc();
    (origin - zone.offset(start)).timestamp_micros()
}

fn slot(seconds: i64, anchor: i64, at: Timestamp) -> i64 {
    at.timestamp_micros()
        .saturating_sub(anchor)
        .div_euclid(seconds * 1_000_000)
}

fn fixed_edges(seconds: i64, zone: Zone, (start, end): (Timestamp, Timestamp)) -> Vec<Timestamp> {
    let anchor = anchor(zone, start);
    let micros = anchor + slot(seconds, anchor, start) * seconds * 1_000_000;
    let first = Timestamp::from_timestamp_micros(micros).unwrap_or(start);
    let step = TimeDelta::seconds(seconds);
    let mut edges = vec![first];
    let mut edge = first;
    while edge < end {
        edge += step;
        edges.push(edge);
    }
    edges
}

fn calendar_edges(
    width: Width,
    zone: Zone,
    (start, end): (Timestamp, Timestamp),
) -> Vec<Timestamp> {
    // One earlier, since where midnight comes twice, the date of yesterday may be seen once more.
    let mut index = index(width, zone.date(start)) - 1;
    let mut edges: Vec<Timestamp> = Vec::new();
    while edges.last().is_none_or(|edge| *edge < end) {
        let edge = zone.first_instant(first_day(width, index));
        if edge <= start {
            edges.clear();
        }
        // A day that a calendar left out has no window.
        if edges.last() != Some(&edge) {
            edges.push(edge);
        }
        index += 1;
    }
    edges
}

/// The number of the window with this day, counted from 2000.
fn index(width: Width, date: NaiveDate) -> i64 {
    match width {
        Width::Seconds(_) => 0,
        Width::Days(days) => (date - origin()).num_days().div_euclid(days),
        Width::Weeks(weeks) => (date - first_monday()).num_days().div_euclid(weeks * 7),
        Width::Months(months) => {
            let month = i64::from(date.year() - 2000) * 12 + i64::from(date.month0());
            month.div_euclid(months)
        }
    }
}

/// The first day of a window.
fn first_day(width: Width, index: i64) -> NaiveDate {
    let day = match width {
        Width::Seconds(_) => None,
        Width::Days(days) => origin().checked_add_signed(TimeDelta::days(index * days)),
        Width::Weeks(weeks) => {
            first_monday().checked_add_signed(TimeDelta::days(index * weeks * 7))
        }
        Width::Months(months) => {
            let months = index * months;
            let distance = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
            if months < 0 {
                origin().checked_sub_months(distance)
            } else {
                origin().checked_add_months(distance)
            }
        }
    };
    day.unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
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
            (counted - windows.iter().count() as i64).abs() <= 2,
            "{}",
            what()
        );
        if interval.fixed_seconds().is_none() {
            for pair in edges.windows(2) {
                let alone = Windows::covering(interval, zone, (pair[0], pair[1])).unwrap();
                assert_eq!(alone.edges(), pair, "{}", what());
            }
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
}
