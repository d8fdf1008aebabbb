//! A device that posts one request after the other, and knows what it has sent and what was acknowledged.

use std::cell::{Cell, Ref, RefCell};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::support::{Device, Random, ago, batch, now, reading_at};

const HOUR: i64 = 3_600;

/// When, and how many hundredths.
pub(super) type Sample = (DateTime<Utc>, i64);

/// Alone in its device, so that at any moment what is stored is what the first so many requests brought.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) device: Device,
    /// Set before the device is deleted, and after that.
    pub(super) deleting: Cell<bool>,
    pub(super) deleted: Cell<bool>,
    sent: RefCell<Vec<Vec<Sample>>>,
    answered: Cell<usize>,
    /// Readings so far, and those of them that came in order.
    number: Cell<i64>,
    ordered: Cell<i64>,
}

impl Writer {
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            deleting: Cell::new(false),
            deleted: Cell::new(false),
            sent: RefCell::default(),
            answered: Cell::new(0),
            number: Cell::new(0),
            ordered: Cell::new(0),
        }
    }

    /// The readings of each request, in the order in which they were sent.
    pub(super) fn sent(&self) -> Ref<'_, Vec<Vec<Sample>>> {
        self.sent.borrow()
    }

    /// How many requests were acknowledged.
    pub(super) fn answered(&self) -> usize {
        self.answered.get()
    }

    /// How many readings were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        let sent = self.sent();
        sent.iter().take(self.answered()).map(Vec::len).sum()
    }

    pub(super) async fn write(&self, random: &mut Random, until: Instant) {
        while Instant::now() < until && !self.deleted.get() {
            let samples = self.samples(random);
            let text = |(at, hundredths): &Sample| reading_at(*at, Decimal::new(*hundredths, 2));
            let single = samples.len() == 1 && random.below(2) == 0;
            let body = match &samples[..] {
                [sample] if single => text(sample),
                samples => batch(samples.iter().map(text)),
            };
            let count = samples.len();
            self.sent.borrow_mut().push(samples);
            let answer = self.device.ingest_text(&body).await;
            if self.deleting.get() && answer.status == 401 {
                return;
            }
            let answer = answer.expect(if single { 201 } else { 200 });
            if !single {
                assert_eq!(answer.body["accepted"], count, "{}", answer.text);
            }
            self.answered.set(self.sent().len());
            let pause = random.below(30).unsigned_abs();
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// The readings of a request, at times that no other reading has.
    fn samples(&self, random: &mut Random) -> Vec<Sample> {
        let count = match random.below(100) {
            0..60 => 1,
            60..98 => 2 + random.below(20),
            _ => 300,
        };
        let hour_of = |at: DateTime<Utc>| at.timestamp().div_euclid(HOUR);
        let age = random.below(10);
        let (late, years) = (random.below(6), 1 + random.below(4));
        let mut samples = Vec::new();
        for _ in 0..count {
            let at = match age {
                0 => now(),
                1..4 => self.next_in_order(),
                // The hours behind the one that has got so far.
                4..8 => self.somewhere_in(hour_of(self.front()) - late),
                _ => self.somewhere_in(hour_of(ago(365 * 24 * HOUR * years)) - late),
            };
            samples.push((at, random.below(100_000) - 50_000));
            if age == 0 {
                break;
            }
        }
        samples
    }

    /// How far the readings have come that are sent in order, from three days ago on.
    fn front(&self) -> DateTime<Utc> {
        ago(72 * HOUR) + TimeDelta::seconds(7 * self.ordered.get())
    }

    fn next_in_order(&self) -> DateTime<Utc> {
        let at = self.front();
        self.ordered.set(self.ordered.get() + 1);
        at
    }

    /// A time that comes once only, since 7919 has no factor in common with the milliseconds of an hour, and
    /// one microsecond beside those of others.
    fn somewhere_in(&self, hour: i64) -> DateTime<Utc> {
        let number = self.number.replace(self.number.get() + 1);
        let begin = DateTime::from_timestamp(hour * HOUR, 1_000).unwrap();
        begin + TimeDelta::milliseconds(number * 7_919 % (HOUR * 1_000))
    }
}
