//! The readings that are posted and copied: the same values and times for everyone.

/// Seconds from 1970 to 2020-01-01T00:00:00Z, where every device begins.
pub(crate) const EPOCH: u64 = 1_577_836_800;

/// A reading of a device, by its number: one a second, with three digits after the point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading(pub(crate) u64);

impl Reading {
    /// The whole part of its value, from 100 to 999, so that every value has as many digits.
    pub(crate) fn whole(self) -> u64 {
        100 + self.0 % 900
    }

    /// The thousandths of its value.
    pub(crate) fn thousandths(self) -> u64 {
        self.0 % 997
    }

    /// Its time in seconds since 1970.
    pub(crate) fn seconds(self) -> u64 {
        EPOCH + self.0
    }

    /// The milliseconds of its time.
    pub(crate) fn milliseconds(self) -> u64 {
        self.0 * 37 % 1000
    }
}
