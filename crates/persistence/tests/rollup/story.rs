//! What may happen, drawn by chance, each step readable as it stands.

use crate::question::Question;
use chrono::TimeDelta;
use domain::{
    Timestamp,
    decimal::ExactDecimal,
    reading::{Metric, Reading},
};
use proptest::{prelude::*, sample::select};

/// Devices that there are at any moment; the last one has an armed rule.
pub(crate) const DEVICES: usize = 3;

pub(crate) const METRICS: [&str; 2] = ["t", "humidity"];

/// Where clocks change, or a day is left out, within a day or two.
const BEGINNINGS: [&str; 7] = [
    "2026-03-28T20:40:00Z",
    "2026-10-24T20:00:00Z",
    "2018-11-03T22:10:00Z",
    "2018-02-17T19:59:59.999999Z",
    "2011-12-29T06:00:00Z",
    "2026-04-04T10:00:00Z",
    "2026-10-03T10:30:00Z",
];

/// Values that are equal to others but for trailing zeros, and some that have more digits than others.
const VALUES: [&str; 9] = [
    "1",
    "1.0",
    "-3.25",
    "21.70",
    "0.000",
    "1e-9",
    "98765432109876.54321",
    "-0.5",
    "1.00",
];

/// A life from a moment on.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) begin: &'static str,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The clock goes on by so many minutes, or back a bit.
    Clock(i64),
    /// All of these, each so many milliseconds after the step begins.
    AtOnce(Vec<(u64, Act)>),
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Post(Post),
    /// So many steps, one after the other.
    SumUp {
        instance: usize,
        steps: usize,
    },
    Delete {
        device: usize,
    },
    Purge {
        instance: usize,
    },
    Ask(Question),
}

/// A request with readings.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) instance: usize,
    pub(crate) device: usize,
    pub(crate) atomic: bool,
    /// Whether both metrics take turns.
    both_metrics: bool,
    count: usize,
    first: Age,
    /// Seconds between two readings.
    spacing: i64,
    /// Microseconds by which all readings miss the grid.
    off: i64,
    /// Where in the list of values it begins: what is posted twice is a duplicate or a conflict.
    value: usize,
}

/// How old the first reading is.
#[derive(Debug, Clone, Copy)]
enum Age {
    Minutes(i64),
    /// So many years before the story begins, and minutes after that.
    Years(i64, i64),
}

impl Story {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let steps = prop::collection::vec(step(), 10..30);
        (select(&BEGINNINGS[..]), steps).prop_map(|(begin, steps)| Self { begin, steps })
    }
}

fn step() -> impl Strategy<Value = Step> {
    let clock = select(vec![-30, -5, 15, 60, 180, 600, 1_440]);
    let post = || Post::any().prop_map(Act::Post);
    let steps = select(vec![1, 1, 2, 24]);
    let sum_up =
        || (0..2_usize, steps.clone()).prop_map(|(instance, steps)| Act::SumUp { instance, steps });
    let purge = || (0..2_usize).prop_map(|instance| Act::Purge { instance });
    let delete = || (0..DEVICES).prop_map(|device| Act::Delete { device });
    let ask = || Question::any().prop_map(Act::Ask);
    let one = |act: BoxedStrategy<Act>| act.prop_map(|act| Step::AtOnce(vec![(0, act)]));
    let traffic = prop_oneof![4 => post(), 4 => sum_up(), 4 => ask(), 1 => purge()];
    let ending = prop_oneof![delete(), post(), sum_up(), purge()];
    let upheaval = prop_oneof![delete(), ask(), sum_up(), purge()];
    prop_oneof![
        3 => clock.prop_map(Step::Clock),
        5 => one(post().boxed()),
        4 => one(sum_up().boxed()),
        5 => one(ask().boxed()),
        12 => at_once(traffic.boxed(), 2..6),
        1 => at_once(ending.boxed(), 2..4),
        1 => at_once(upheaval.boxed(), 2..4),
    ]
}

fn at_once(act: BoxedStrategy<Act>, number: std::ops::Range<usize>) -> impl Strategy<Value = Step> {
    let delayed = (prop_oneof![3 => Just(0), 2 => 0..6_u64], act);
    prop::collection::vec(delayed, number).prop_map(Step::AtOnce)
}

impl Post {
    fn any() -> impl Strategy<Value = Self> {
        let age = prop_oneof![
            3 => (0..90_i64).prop_map(Age::Minutes),
            4 => (60..4_000_i64).prop_map(Age::Minutes),
            2 => (select(vec![1, 6, 11]), 0..4_000_i64).prop_map(|(years, minutes)| Age::Years(years, minutes)),
        ];
        // In one message, without COPY, and with it.
        let count = prop_oneof![5 => 1..6_usize, 2 => 33..100_usize, 2 => 300..700_usize];
        let spacing = select(vec![10, 60, 300, 420, 1_800, 3_600]);
        let off = select(vec![0, 0, 0, 1, -1]);
        (
            (0..2_usize, 0..DEVICES, prop::bool::weighted(0.2)),
            (any::<bool>(), count, age, spacing, off, 0..VALUES.len()),
        )
            .prop_map(|((instance, device, atomic), more)| {
                let (both_metrics, count, first, spacing, off, value) = more;
                Self {
                    instance,
                    device,
                    atomic,
                    both_metrics,
                    count,
                    first,
                    spacing,
                    off,
                    value,
                }
            })
    }

    /// The readings, none of them later than may be now.
    pub(crate) fn readings(&self, begin: Timestamp, now: Timestamp) -> Vec<Reading> {
        let first = match self.first {
            Age::Minutes(minutes) => now - TimeDelta::minutes(minutes),
            Age::Years(years, minutes) => {
                begin - TimeDelta::days(365 * years) + TimeDelta::minutes(minutes)
            }
        };
        // On a grid, so that it happens that something is there already.
        let grid = TimeDelta::minutes(5).num_microseconds().unwrap();
        let first = first.timestamp_micros().div_euclid(grid) * grid + self.off;
        let first = Timestamp::from_timestamp_micros(first).unwrap();
        let turns = if self.both_metrics { METRICS.len() } else { 1 };
        let reading = |place: usize| Reading {
            metric: Metric::parse(METRICS[place % turns]).unwrap(),
            value: ExactDecimal::parse(VALUES[(self.value + place) % VALUES.len()]).unwrap(),
            recorded_at: first
                + TimeDelta::seconds(self.spacing * i64::try_from(place / turns).unwrap()),
        };
        let latest = now + TimeDelta::minutes(10);
        let readings = (0..self.count).map(reading);
        readings.filter(|it| it.recorded_at <= latest).collect()
    }
}
