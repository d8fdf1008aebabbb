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
    /// Windows of fixed length are counted from 2000-01-01 by standard time, and go on regardless of changes
    /// of clocks, so that they are the same whatever the range is. Longer ones begin with a day of the
    /// calendar.
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
            let anchor = anchor(zone);
            slot(seconds, anchor, last) - slot(seconds, anchor, start) + 1
        }
        width @ (Width::Days(_) | Width::Weeks(_) | Width::Months(_)) => {
            index(width, zone.date(last)) - index(width, zone.date(start)) + 1
        }
    }
}

fn anchor(zone: Zone) -> i64 {
    let origin = origin().and_time(chrono::NaiveTime::MIN).and_utc();
    (origin - zone.standard_offset()).timestamp_micros()
}

fn slot(seconds: i64, anchor: i64, at: Timestamp) -> i64 {
    at.timestamp_micros()
        .saturating_sub(anchor)
        .div_euclid(seconds * 1_000_000)
}

fn fixed_edges(seconds: i64, zone: Zone, (start, end): (Timestamp, Timestamp)) -> Vec<Timestamp> {
    let anchor = anchor(zone);
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
mod tests;
