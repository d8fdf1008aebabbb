//! How many buckets an answer may have.

use serde::Deserialize;

/// Most buckets that one answer may have, over all of its series.
pub const MAX_BUCKETS: i64 = 11_000;

/// Most buckets that a client takes, over all series: 1 to 11,000, by default 11,000. Windows without
/// readings count too, so that it does not depend on them whether a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BucketLimit(i64);

/// The limit is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {MAX_BUCKETS}")]
pub struct BucketLimitError;

impl BucketLimit {
    /// The number of buckets.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Default for BucketLimit {
    fn default() -> Self {
        Self(MAX_BUCKETS)
    }
}

impl TryFrom<String> for BucketLimit {
    type Error = BucketLimitError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.parse() {
            Ok(limit @ 1..=MAX_BUCKETS) => Ok(Self(limit)),
            Ok(_) | Err(_) => Err(BucketLimitError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_from_1_to_11000() {
        let limit = |text: &str| BucketLimit::try_from(text.to_owned()).map(BucketLimit::get);
        assert_eq!(limit("1"), Ok(1));
        assert_eq!(limit("11000"), Ok(MAX_BUCKETS));
        for text in ["0", "11001", "-1", "", "many", "1e3"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
