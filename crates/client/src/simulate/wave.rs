//! Curves that look like what sensors measure, as functions of time.

use crate::backoff::mix;
use domain::Timestamp;
use rust_decimal::Decimal;
use std::f64::consts::TAU;

const DAY: f64 = 86_400.0;

/// Seconds between the knots of the slow noise.
const KNOT: i64 = 900;

/// Watts of a power meter on average, and how far it swings from there in a day.
const POWER: f64 = 600.0;
const SWING: f64 = 350.0;

/// Joules of a kilowatt-hour.
const KWH: f64 = 3_600_000.0;

/// The curves of one device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    seed: u64,
}

/// A number between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "a number below 2^53 is exact")]
pub(super) fn share(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

impl Wave {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number for anything, the same each time.
    pub(super) fn chance(self, what: u64, place: u64) -> u64 {
        mix(mix(self.seed ^ mix(what)).wrapping_add(place))
    }

    /// The value of a metric, with as many digits as such a sensor has.
    pub(super) fn value(self, metric: &str, at: Timestamp) -> Decimal {
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of this century are below 2^53"
        )]
        let seconds = at.timestamp_micros() as f64 / 1e6;
        let own = share(self.chance(10, 0));
        let day = TAU * (seconds / DAY + own / 8.0);
        let (number, digits) = match metric {
            "temperature" => (
                19.0 + 4.0 * own + 3.0 * day.sin() + 1.5 * self.noise(11, at),
                2,
            ),
            "humidity" => (
                45.0 + 10.0 * own - 6.0 * day.sin() + 5.0 * self.noise(12, at),
                1,
            ),
            "power" => (POWER + SWING * day.sin() + 120.0 * self.noise(13, at), 1),
            // The integral of the power without its noise, so that it only grows.
            _ => ((POWER * seconds - SWING * DAY / TAU * day.cos()) / KWH, 3),
        };
        let text = format!("{number:.digits$}");
        text.parse().unwrap_or_default()
    }

    /// A smooth number between -1 and 1, and a little jitter.
    fn noise(self, what: u64, at: Timestamp) -> f64 {
        let seconds = at.timestamp();
        let knot = |place: i64| 2.0 * share(self.chance(what, place.unsigned_abs())) - 1.0;
        let place = seconds.div_euclid(KNOT);
        let along = i32::try_from(seconds.rem_euclid(KNOT)).map_or(0.0, |it| f64::from(it) / 900.0);
        let slow = knot(place) * (1.0 - along) + knot(place + 1) * along;
        let jitter = share(self.chance(what + 100, at.timestamp_micros().unsigned_abs())) - 0.5;
        0.95 * slow + 0.1 * jitter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_such_sensors_are() {
        for device in 0..20 {
            let wave = Wave::new(device);
            let mut energy = Decimal::ZERO;
            for step in 0..2_000 {
                let at = Timestamp::from_timestamp(1_800_000_000 + step * 61, 0).unwrap();
                let temperature = wave.value("temperature", at);
                assert!(temperature > Decimal::from(10) && temperature < Decimal::from(29));
                assert_eq!(temperature.scale(), 2);
                let humidity = wave.value("humidity", at);
                assert!(humidity > Decimal::from(20) && humidity < Decimal::from(80));
                assert!(wave.value("power", at) > Decimal::from(100));
                let next = wave.value("energy", at);
                assert!(next >= energy, "{next} after {energy}");
                energy = next;
            }
        }
    }
}
