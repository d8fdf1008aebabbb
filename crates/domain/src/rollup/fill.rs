//! What to tell of windows without readings.

use super::Bucket;
use crate::{
    Timestamp,
    decimal::{ExactDecimal, WideDecimal},
};
use rust_decimal::Decimal;
use serde::Deserialize;

/// What to tell of windows without readings. Their count is 0 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Fill {
    /// Nothing: they are left out.
    #[default]
    None,
    /// `null`
    Null,
    /// What the last window with readings tells; `null` before the first one of the answer.
    Previous,
    /// What lies on the straight line between the windows with readings before and after, to 16
    /// significant digits; `null` where there is only one of them.
    Linear,
    /// Always this number.
    Number(ExactDecimal),
}

/// The text is no way to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be none, null, previous, linear or a number")]
pub struct FillError;

impl TryFrom<String> for Fill {
    type Error = FillError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "none" => Ok(Self::None),
            "null" => Ok(Self::Null),
            "previous" => Ok(Self::Previous),
            "linear" => Ok(Self::Linear),
            number => ExactDecimal::parse(number)
                .map(Self::Number)
                .map_err(|_| FillError),
        }
    }
}

impl Fill {
    /// Gives each window without readings a bucket, if they are to be filled. Both are in the order of
    /// time, and each bucket is that of a window.
    pub(super) fn apply(
        self,
        buckets: Vec<Bucket>,
        windows: impl Iterator<Item = (Timestamp, Timestamp)>,
        values: usize,
    ) -> Vec<Bucket> {
        if self == Self::None {
            return buckets;
        }
        let mut filled: Vec<Bucket> = Vec::new();
        let mut left = buckets.into_iter().peekable();
        let mut before: Option<Bucket> = None;
        for (start, end) in windows {
            if let Some(bucket) = left.next_if(|bucket| bucket.start == start) {
                before = Some(bucket.clone());
                filled.push(bucket);
                continue;
            }
            let neighbours = (before.as_ref(), left.peek());
            let value = |place| self.value(place, start, neighbours);
            filled.push(Bucket {
                start,
                end,
                count: 0,
                values: (0..values).map(value).collect(),
            });
        }
        filled
    }

    /// What the window that begins at `at` tells in one place, between its neighbours with readings.
    fn value(
        self,
        place: usize,
        at: Timestamp,
        (before, after): (Option<&Bucket>, Option<&Bucket>),
    ) -> Option<WideDecimal> {
        let known = |bucket: Option<&Bucket>| bucket?.values.get(place)?.clone();
        match self {
            Self::None | Self::Null => None,
            Self::Previous => known(before),
            Self::Number(number) => WideDecimal::parse(&number.to_string()).ok(),
            Self::Linear => {
                let point = |bucket: Option<&Bucket>| {
                    let value = known(bucket)?.to_string().parse().ok()?;
                    Some((bucket?.start, value))
                };
                between(point(before)?, point(after)?, at)
            }
        }
    }
}

/// The value at a time on the line through two points; none where it takes more than 28 digits.
fn between(
    (from, low): (Timestamp, Decimal),
    (to, high): (Timestamp, Decimal),
    at: Timestamp,
) -> Option<WideDecimal> {
    let (part, whole) = (
        (at - from).num_microseconds()?,
        (to - from).num_microseconds()?,
    );
    let rise = high.checked_sub(low)?;
    let ratio = Decimal::from(part).checked_div(Decimal::from(whole))?;
    let value = low.checked_add(rise.checked_mul(ratio)?)?;
    WideDecimal::parse(&value.round_sf(16)?.normalize().to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_timestamp(hour * 3_600, 0).unwrap()
    }

    fn bucket(hour: i64, value: &str) -> Bucket {
        Bucket {
            start: at(hour),
            end: at(hour + 1),
            count: 1,
            values: vec![WideDecimal::parse(value).ok()],
        }
    }

    fn filled(fill: &str) -> Vec<Option<String>> {
        let fill = Fill::try_from(fill.to_owned()).unwrap();
        let buckets = vec![bucket(1, "10"), bucket(4, "40.6")];
        let windows = (0..6).map(|hour| (at(hour), at(hour + 1)));
        let filled = fill.apply(buckets, windows, 1);
        let text = |bucket: Bucket| bucket.values[0].as_ref().map(ToString::to_string);
        filled.into_iter().map(text).collect()
    }

    #[test]
    fn windows_without_readings_are_filled() {
        let text = |it: [&str; 6]| {
            it.map(|it| (!it.is_empty()).then(|| it.to_owned()))
                .to_vec()
        };
        assert_eq!(filled("none").len(), 2);
        assert_eq!(filled("null"), text(["", "10", "", "", "40.6", ""]));
        assert_eq!(
            filled("previous"),
            text(["", "10", "10", "10", "40.6", "40.6"])
        );
        assert_eq!(
            filled("linear"),
            text(["", "10", "20.2", "30.4", "40.6", ""])
        );
        assert_eq!(
            filled("-0.50"),
            text(["-0.50", "10", "-0.50", "-0.50", "40.6", "-0.50"])
        );
        assert!(Fill::try_from("zero".to_owned()).is_err());
    }
}
