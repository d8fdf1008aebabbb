//! Kinds of devices, each with habits of its own.

use super::wave::{Wave, share};
use crate::backoff::mix;
use chrono::TimeDelta;
use clap::ValueEnum;
use domain::Timestamp;
use rust_decimal::Decimal;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Temperature and humidity of a room
    Temperature,
    /// Power, and the energy that it has come to
    PowerMeter,
    /// Drops out, posts late, out of order and again, and gives up on answers
    Flaky,
    /// Its clock runs fast until it is set right
    DriftingClock,
    /// Loses its connection now and then, and posts afterwards what it has measured meanwhile
    Outage,
}

/// One measurement of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) metric: &'static str,
    pub(crate) value: Decimal,
    pub(crate) recorded_at: Timestamp,
}

/// After so many measurements the clock of [`Profile::DriftingClock`] is set right.
const DRIFT_CYCLE: u64 = 60;

/// By how much it runs fast from one measurement to the next, at most: within the ten minutes that the service allows.
const DRIFT: TimeDelta = TimeDelta::seconds(5);

/// Of so many measurements, [`Profile::Outage`] has a connection for these.
const OUTAGE_CYCLE: u64 = 24;
const OUTAGE: std::ops::Range<u64> = 8..18;

impl Profile {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Temperature,
        Self::PowerMeter,
        Self::Flaky,
        Self::DriftingClock,
        Self::Outage,
    ];

    /// Its name in words and tags.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::PowerMeter => "power-meter",
            Self::Flaky => "flaky",
            Self::DriftingClock => "drifting-clock",
            Self::Outage => "outage",
        }
    }

    /// What it measures.
    pub(crate) fn metrics(self) -> &'static [&'static str] {
        match self {
            Self::PowerMeter => &["power", "energy"],
            Self::Temperature | Self::Flaky | Self::DriftingClock | Self::Outage => {
                &["temperature", "humidity"]
            }
        }
    }
}

/// What a device measures: nothing but a function of its number, the seed and the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge {
    pub(crate) profile: Profile,
    wave: Wave,
}

impl Gauge {
    /// Of the device of this number, in the fleet of this seed.
    pub(crate) fn new(profile: Profile, seed: u64, number: u32) -> Self {
        let wave = Wave::new(mix(seed).wrapping_add(number.into()));
        Self { profile, wave }
    }

    /// A number for what is decided by chance at a measurement, the same each time.
    pub(crate) fn chance(&self, what: u64, tick: u64) -> u64 {
        self.wave.chance(what, tick)
    }

    /// What is measured at a time, which is that of the tick of this number; nothing where the device drops out.
    pub(crate) fn measure(&self, tick: u64, at: Timestamp) -> Vec<Sample> {
        // It drops out for five measurements at a time, and now and then for one.
        let drops_out = self.profile == Profile::Flaky
            && (share(self.chance(1, tick / 5)) < 0.1 || share(self.chance(2, tick)) < 0.05);
        if drops_out {
            return Vec::new();
        }
        let recorded_at = self.clock(tick, at);
        let sample = |metric: &&'static str| Sample {
            metric,
            value: self.wave.value(metric, at),
            recorded_at,
        };
        self.profile.metrics().iter().map(sample).collect()
    }

    /// What the clock of the device shows.
    fn clock(&self, tick: u64, at: Timestamp) -> Timestamp {
        if self.profile != Profile::DriftingClock {
            return at;
        }
        let (cycle, step) = (tick / DRIFT_CYCLE, tick % DRIFT_CYCLE);
        let share = i32::try_from(self.chance(3, cycle) % 100).unwrap_or_default() + 1;
        let ahead = DRIFT * share / 100 * i32::try_from(step).unwrap_or_default();
        // When it is set right it passes the same times again: microseconds of its own keep the readings apart.
        let own = TimeDelta::microseconds(i64::try_from(cycle % 997).unwrap_or_default() + 1);
        at + ahead + own
    }

    /// Whether the device has a connection.
    pub(crate) fn is_connected(&self, tick: u64) -> bool {
        let phase = self.chance(4, 0);
        let place = tick.wrapping_add(phase) % OUTAGE_CYCLE;
        self.profile != Profile::Outage || !OUTAGE.contains(&place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn at(tick: u64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + i64::try_from(tick).unwrap(), 0).unwrap()
    }

    #[test]
    fn the_same_seed_number_and_time_give_the_same() {
        for profile in Profile::ALL {
            let gauge = || Gauge::new(profile, 7, 3);
            let other = Gauge::new(profile, 8, 3);
            let all = |gauge: Gauge| {
                (0..200)
                    .map(|n| gauge.measure(n, at(n)))
                    .collect::<Vec<_>>()
            };
            assert_eq!(all(gauge()), all(gauge()));
            assert_ne!(all(gauge()), all(other));
        }
    }

    #[test]
    fn no_device_measures_a_metric_twice_at_a_time() {
        for profile in Profile::ALL {
            let gauge = Gauge::new(profile, 1, 0);
            let (mut seen, mut count) = (HashSet::new(), 0);
            for tick in 0..5_000 {
                for sample in gauge.measure(tick, at(tick)) {
                    assert!(seen.insert((sample.metric, sample.recorded_at)));
                    assert!(sample.recorded_at - at(tick) < TimeDelta::minutes(6));
                    count += 1;
                }
            }
            assert!(count > 7_000, "{profile:?} {count}");
        }
    }

    #[test]
    fn an_outage_begins_and_ends() {
        let gauge = Gauge::new(Profile::Outage, 1, 0);
        let up = (0..OUTAGE_CYCLE)
            .filter(|tick| gauge.is_connected(*tick))
            .count();
        assert_eq!(up, 14);
        assert!((0..100).all(|tick| Gauge::new(Profile::Flaky, 1, 0).is_connected(tick)));
    }
}
