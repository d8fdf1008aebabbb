//! Going through a long range of time in windows that each hold about a page of readings.

use super::TimeRange;
use crate::{Timestamp, page::Order};
use chrono::TimeDelta;

/// How wide the first window is, while nothing is known of how dense the readings are.
const FIRST: TimeDelta = TimeDelta::hours(1);

/// How narrow a window may become; that of readings which all have one time has a width too.
const NARROWEST: TimeDelta = TimeDelta::seconds(1);

/// How much wider a window is than the one before, which had too little in it.
const GROWTH: i32 = 4;

/// What is left of a range of time, and how much of it to look at next.
///
/// Without windows each series would contribute a whole page to every page, and every partition
/// would be looked at for each: a device of a thousand metrics would be read a thousand times over.
#[derive(Debug, Clone)]
pub struct Sweep {
    start: Timestamp,
    end: Timestamp,
    order: Order,
    width: TimeDelta,
}

impl Sweep {
    /// All of the range from `start` to before `end`.
    #[must_use]
    pub fn new(start: Timestamp, end: Timestamp, order: Order) -> Self {
        Self {
            start,
            end,
            order,
            width: FIRST,
        }
    }

    /// Where to look for the next page; none when nothing is left.
    #[must_use]
    pub fn window(&self) -> Option<TimeRange> {
        let width = self.width.min(self.end - self.start);
        let (start, end) = match self.order {
            Order::Asc => (self.start, self.start + width),
            Order::Desc => (self.end - width, self.end),
        };
        let (start, end) = (Some(start), Some(end));
        (width > TimeDelta::zero()).then_some(TimeRange { start, end })
    }

    /// A page was filled before the window ended, and its last reading was measured at `last`.
    /// The next window begins there, since others may have the same time, and is as wide as this
    /// page and half of it.
    pub fn filled(&mut self, last: Timestamp) {
        let taken = match self.order {
            Order::Asc => {
                let taken = last - self.start;
                self.start = last;
                taken
            }
            Order::Desc => {
                let after = last + TimeDelta::microseconds(1);
                let taken = self.end - after;
                self.end = after;
                taken
            }
        };
        self.width = (taken + taken / 2).max(NARROWEST);
    }

    /// The window has no more readings. The next one begins where it ended, and is wider.
    pub fn exhausted(&mut self) {
        let width = self.width.min(self.end - self.start);
        match self.order {
            Order::Asc => self.start += width,
            Order::Desc => self.end -= width,
        }
        // Never wider than what is left, so that it cannot grow without bound.
        self.width = (width * GROWTH).min(self.end - self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::earliest;

    fn at(seconds: i64) -> Timestamp {
        earliest() + TimeDelta::seconds(seconds)
    }

    /// Pages of at most `limit` of these times, in order, and how many windows were looked at.
    fn sweep(times: &[i64], order: Order, limit: usize) -> (Vec<i64>, usize) {
        let (mut seen, mut windows) = (Vec::new(), 0);
        let mut sweep = Sweep::new(at(0), at(1_000_000_000), order);
        while let Some(window) = sweep.window() {
            windows += 1;
            let inside = |time: &&i64| {
                window.start.is_some_and(|it| it <= at(**time))
                    && window.end.is_some_and(|it| at(**time) < it)
                    && !seen.contains(*time)
            };
            let mut page: Vec<i64> = times.iter().filter(inside).copied().collect();
            if order == Order::Desc {
                page.reverse();
            }
            let more = page.len() > limit;
            page.truncate(limit);
            seen.extend(&page);
            match page.last().filter(|_| more) {
                Some(last) => sweep.filled(at(*last)),
                None => sweep.exhausted(),
            }
        }
        (seen, windows)
    }

    #[test]
    fn every_reading_is_met_once_either_way() {
        let dense = (500_000_000..500_000_400).collect::<Vec<_>>();
        let sparse = (0..200).map(|n| n * n * 25_000).collect::<Vec<_>>();
        let bursts = [&[0, 1, 2], &dense[..], &[700_000_000, 999_999_999]].concat();
        for times in [dense, sparse, bursts, vec![]] {
            let (seen, windows) = sweep(&times, Order::Asc, 10);
            assert_eq!(seen, times);
            assert!(windows < 400, "{windows}");
            let (mut seen, windows) = sweep(&times, Order::Desc, 10);
            seen.reverse();
            assert_eq!(seen, times);
            assert!(windows < 400, "{windows}");
        }
    }

    #[test]
    fn a_range_without_anything_in_it_takes_few_windows() {
        let (_, windows) = sweep(&[], Order::Asc, 10);
        assert!(windows < 15, "{windows}");
        for (start, end) in [(at(5), at(5)), (at(6), at(5))] {
            assert!(Sweep::new(start, end, Order::Asc).window().is_none());
            assert!(Sweep::new(start, end, Order::Desc).window().is_none());
        }
    }

    #[test]
    fn the_width_follows_what_a_page_took() {
        let mut sweep = Sweep::new(at(0), at(1_000_000), Order::Asc);
        sweep.filled(at(100));
        let window = sweep.window().unwrap();
        assert_eq!((window.start, window.end), (Some(at(100)), Some(at(250))));
        sweep.exhausted();
        let window = sweep.window().unwrap();
        assert_eq!((window.start, window.end), (Some(at(250)), Some(at(850))));
        sweep.filled(at(250));
        let window = sweep.window().unwrap();
        assert_eq!(window.end, Some(at(251)));
    }
}
