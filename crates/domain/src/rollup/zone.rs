//! The zone in which days begin.

use crate::Timestamp;
use chrono::{
    MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

/// The text names no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the IANA name of a time zone, such as Europe/Berlin or UTC")]
pub struct ZoneError;

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl Zone {
    /// Reads a name, in its own spelling.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        name.parse().map(Self).map_err(|_| ZoneError)
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        chrono_tz::TZ_VARIANTS.iter().copied().map(Self)
    }

    /// What a clock shows.
    fn local(self, at: NaiveDateTime) -> NaiveDateTime {
        at.checked_add_offset(self.0.offset_from_utc_datetime(&at).fix())
            .unwrap_or(at)
    }

    /// The date that a calendar shows.
    pub(super) fn date(self, at: Timestamp) -> NaiveDate {
        self.local(at.naive_utc()).date()
    }

    /// How far clocks are ahead of UTC.
    pub(super) fn offset(self, at: Timestamp) -> TimeDelta {
        let offset = self.0.offset_from_utc_datetime(&at.naive_utc()).fix();
        TimeDelta::seconds(i64::from(offset.local_minus_utc()))
    }

    /// How far clocks are ahead of UTC while they are not put forward for the summer, by the rules that hold
    /// from now on: one for each zone.
    pub(super) fn standard_offset(self) -> TimeDelta {
        // No rule is known for after 2037. One of the two is in winter, wherever there is one.
        let at = |month| NaiveDate::from_ymd_opt(2037, month, 1).unwrap_or_default();
        let offset = |month| self.offset(at(month).and_time(NaiveTime::MIN).and_utc());
        offset(1).min(offset(7))
    }

    /// The first instant of a day: midnight, or where clocks are put forward over midnight, the moment
    /// at which that happens. Where midnight comes twice, it is the first one.
    pub(super) fn first_instant(self, date: NaiveDate) -> Timestamp {
        let midnight = date.and_time(NaiveTime::MIN);
        match self.0.from_local_datetime(&midnight) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
            MappedLocalTime::None => self.first_after(midnight).and_utc(),
        }
    }

    /// The moment at which clocks jump over this local time.
    fn first_after(self, local: NaiveDateTime) -> NaiveDateTime {
        let day = TimeDelta::days(1);
        let before = self
            .offset((local - day).and_utc().with_timezone(&Utc))
            .num_seconds();
        // By the clock of the day before it is this time now, so that the jump is behind us.
        let (mut early, mut late) = (-86_400, 0);
        let at = |seconds| local + TimeDelta::seconds(seconds - before);
        while late - early > 1 {
            let middle = i64::midpoint(early, late);
            if self.local(at(middle)) < local {
                early = middle;
            } else {
                late = middle;
            }
        }
        at(late)
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_first_instant() {
        for (zone, date, expected) in [
            ("UTC", "2026-03-29", "2026-03-29T00:00:00Z"),
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z"),
            ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z"),
            ("Asia/Kolkata", "2026-01-01", "2025-12-31T18:30:00Z"),
            // Clocks went from 00:00 to 01:00.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
            // From 23:30 to 00:30, so that the day had no midnight.
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),
            // Clocks went from 01:00 back to 00:00: the first of the two.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // From 00:00 back to 23:00 of the day before.
            ("America/Asuncion", "2024-03-24", "2024-03-24T04:00:00Z"),
            // Samoa left out a whole day.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
        ] {
            let first = Zone::parse(zone)
                .unwrap()
                .first_instant(date.parse().unwrap());
            assert_eq!(
                first,
                expected.parse::<Timestamp>().unwrap(),
                "{zone} {date}"
            );
        }
    }

    #[test]
    fn standard_time_is_that_of_winter() {
        for (zone, minutes) in [
            ("UTC", 0),
            ("Europe/Berlin", 60),
            ("Europe/Dublin", 0),
            ("Australia/Sydney", 600),
            ("Australia/Lord_Howe", 630),
            ("Asia/Kolkata", 330),
            ("America/St_Johns", -210),
        ] {
            let offset = Zone::parse(zone).unwrap().standard_offset();
            assert_eq!(offset, TimeDelta::minutes(minutes), "{zone}");
        }
    }

    #[test]
    fn a_zone_has_a_name() {
        assert!(Zone::parse("Mars/Olympus").is_err());
        assert!(Zone::parse("").is_err());
        assert_eq!(String::from(Zone::default()), "UTC");
    }
}
