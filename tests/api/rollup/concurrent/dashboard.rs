//! Someone who asks for rollups all the while, and holds each answer against what was sent by then.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Tally;
use super::writer::{Sample, Writer};
use crate::support::{Answer, Random, User, ago, now, time};

/// What is asked for: windows of this many seconds, by a clock that is so many seconds ahead.
#[derive(Debug)]
struct Question {
    interval: &'static str,
    width: i64,
    zone: &'static str,
    ahead: i64,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// What the readings of a window come to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    count: u64,
    sum: Decimal,
    min: Decimal,
    max: Decimal,
    first: (DateTime<Utc>, Decimal),
    last: (DateTime<Utc>, Decimal),
}

type Windows = BTreeMap<DateTime<Utc>, Window>;

#[derive(Debug, Deserialize)]
struct Rollup {
    data: Vec<Series>,
}

#[derive(Debug, Deserialize)]
struct Series {
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    start: DateTime<Utc>,
    count: u64,
    sum: Box<RawValue>,
    min: Box<RawValue>,
    max: Box<RawValue>,
    first: Box<RawValue>,
    last: Box<RawValue>,
}

#[derive(Debug)]
pub(super) struct Dashboard<'a> {
    user: &'a User,
    writers: &'a [Writer],
    random: Random,
}

impl<'a> Dashboard<'a> {
    pub(super) fn new(user: &'a User, writers: &'a [Writer], random: Random) -> Self {
        Self {
            user,
            writers,
            random,
        }
    }

    pub(super) async fn ask(mut self, tally: &Tally, until: Instant) {
        while Instant::now() < until {
            let place = self.random.below(self.writers.len().try_into().unwrap());
            let writer = &self.writers[usize::try_from(place).unwrap()];
            let question = Question::any(&mut self.random);
            let path = writer.device.path(&question.path());
            // All that was acknowledged by now has to be there, and nothing that is sent after the answer.
            let (least, deleted) = (writer.answered(), writer.deleted.get());
            let answer = self.user.get(&path).await;
            let most = writer.sent().len();
            tally.answers.set(tally.answers.get() + 1);
            if answer.status == 404 {
                assert!(writer.deleting.get(), "{}", answer.text);
            } else {
                assert!(!deleted, "a device that was deleted: {}", answer.text);
                let filled = question.check(&answer.expect(200), &writer.sent(), least..=most);
                tally.filled.set(tally.filled.get() + usize::from(filled));
            }
            let pause = self.random.below(40).unsigned_abs();
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

impl Question {
    fn any(random: &mut Random) -> Self {
        let mut one_of = |number| usize::try_from(random.below(number)).unwrap();
        let (zone, ahead) = [("UTC", 0), ("Asia/Kolkata", 19_800)][one_of(2)];
        let is_long = one_of(3) == 0;
        let intervals = if is_long {
            [("1d", 86_400), ("7d", 604_800), ("30d", 2_592_000)]
        } else {
            [("1h", 3_600), ("6h", 21_600), ("1d", 86_400)]
        };
        let (interval, width) = intervals[one_of(3)];
        let days = if is_long { 4 * 365 + 2 } else { 4 };
        // At a full hour, or beside it.
        let cut = [0, 0, 1_234][one_of(3)];
        let start = ago(days * 86_400).timestamp().div_euclid(3_600) * 3_600 + cut;
        Self {
            interval,
            width,
            zone,
            ahead,
            start: DateTime::from_timestamp(start, 0).unwrap(),
            end: now() + TimeDelta::minutes(1),
        }
    }

    fn path(&self) -> String {
        let Self {
            interval,
            zone,
            start,
            end,
            ..
        } = self;
        let text = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!(
            "/rollups?metric=t&interval={interval}&timezone={zone}&agg=sum,min,max,first,last&start={}&end={}",
            text(start),
            text(end)
        )
    }

    /// The answer has to be what the first so many requests come to, for one of these numbers. Answers
    /// whether there were any readings.
    fn check(
        &self,
        answer: &Answer,
        sent: &[Vec<Sample>],
        numbers: std::ops::RangeInclusive<usize>,
    ) -> bool {
        let found = windows(answer);
        let (least, most) = (*numbers.start(), *numbers.end());
        let mut expected = Windows::new();
        sent[..least]
            .iter()
            .for_each(|it| self.add(&mut expected, it));
        let at_least = expected.clone();
        let mut more = sent[least..most].iter();
        while !is_like(&found, &expected) {
            let Some(request) = more.next() else {
                panic!(
                    "{self:?} was answered\n{found:#?}\nwhich is neither what the first {least} requests come to, \
                     \n{at_least:#?}\nnor what any more up to {most} do:\n{expected:#?}"
                );
            };
            self.add(&mut expected, request);
        }
        !found.is_empty()
    }

    fn add(&self, windows: &mut Windows, samples: &[Sample]) {
        let origin = time("2000-01-01T00:00:00Z").timestamp() - self.ahead;
        let inside = samples
            .iter()
            .filter(|(at, _)| (self.start..self.end).contains(at));
        for (at, hundredths) in inside {
            let begin = origin + (at.timestamp() - origin).div_euclid(self.width) * self.width;
            let value = Decimal::new(*hundredths, 2);
            let alone = Window {
                count: 0,
                sum: Decimal::ZERO,
                min: value,
                max: value,
                first: (*at, value),
                last: (*at, value),
            };
            let begin = DateTime::from_timestamp(begin, 0).unwrap();
            let window = windows.entry(begin).or_insert(alone);
            window.count += 1;
            window.sum += value;
            window.min = window.min.min(value);
            window.max = window.max.max(value);
            window.first = window.first.min((*at, value));
            window.last = window.last.max((*at, value));
        }
    }
}

/// Count, sum, least, greatest, first and last value of each window.
type Found = BTreeMap<DateTime<Utc>, (u64, [Decimal; 5])>;

fn windows(answer: &Answer) -> Found {
    let decimal = |raw: &RawValue| Decimal::from_str(raw.get()).unwrap();
    let rollup: Rollup = answer.parse();
    let buckets = rollup.data.into_iter().flat_map(|it| it.buckets);
    let window = |it: Bucket| {
        let values = [&it.sum, &it.min, &it.max, &it.first, &it.last];
        (it.start, (it.count, values.map(|it| decimal(it))))
    };
    buckets.map(window).collect()
}

fn is_like(found: &Found, expected: &Windows) -> bool {
    let values = |it: &Window| (it.count, [it.sum, it.min, it.max, it.first.1, it.last.1]);
    let expected = expected.iter().map(|(begin, it)| (*begin, values(it)));
    found.iter().map(|(begin, it)| (*begin, *it)).eq(expected)
}
