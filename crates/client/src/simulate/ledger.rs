//! What a device was told is stored, in a form that takes no room and can be compared with what is.

use super::profile::Sample;
use domain::Timestamp;
use sha2::{Digest, Sha256};

/// A number of readings, and the sum of their hashes: the same for the same readings in any order, and different for
/// others, but for one case in 2^128.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) count: u64,
    sum: u128,
}

impl Ledger {
    /// Notes a reading.
    pub(super) fn add(&mut self, metric: &str, recorded_at: Timestamp, value: &str) {
        let mut hash = Sha256::new();
        for part in [metric.as_bytes(), value.as_bytes()] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(recorded_at.timestamp_micros().to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let first = digest.first_chunk::<16>().copied().unwrap_or_default();
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(first));
        self.count += 1;
    }

    /// Notes a measurement.
    pub(super) fn note(&mut self, sample: &Sample) {
        self.add(sample.metric, sample.recorded_at, &sample.value.to_string());
    }

    /// Notes a line of an export, `metric,recorded_at,value`; answers false if it is none.
    pub(super) fn read(&mut self, line: &str) -> bool {
        let mut fields = line.trim_end().split(',');
        let (Some(metric), Some(time), Some(value), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let Ok(time) = time.parse::<Timestamp>() else {
            return false;
        };
        self.add(metric, time, value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let of = |lines: &[&str]| {
            let mut ledger = Ledger::default();
            assert!(lines.iter().all(|line| ledger.read(line)));
            ledger
        };
        let (a, b) = (
            "t,2026-01-01T00:00:00Z,1.50\r\n",
            "u,2026-01-01T00:00:00.000001Z,2",
        );
        assert_eq!(of(&[a, b]), of(&[b, a]));
        for other in [
            "t,2026-01-01T00:00:00Z,1.5",
            "u,2026-01-01T00:00:00Z,1.50",
            "t,2026-01-01T00:00:00.000001Z,1.50",
        ] {
            assert_ne!(of(&[a]), of(&[other]), "{other}");
        }
        assert_ne!(of(&[a]), of(&[a, a]));
        assert!(!Ledger::default().read("metric,recorded_at,value"));
    }
}
