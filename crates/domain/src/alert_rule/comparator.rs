//! How a value is compared with a threshold.

use crate::decimal::ExactDecimal;
use serde::{Deserialize, Serialize};

/// How a value is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparator {
    /// Greater than.
    Gt,
    /// Less than.
    Lt,
    /// Greater than or equal.
    Gte,
    /// Less than or equal.
    Lte,
}

impl Comparator {
    /// The word that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::Gte => "gte",
            Self::Lte => "lte",
        }
    }

    /// Whether the value is on the wrong side of the threshold.
    #[must_use]
    pub fn breaches(self, value: ExactDecimal, threshold: ExactDecimal) -> bool {
        match self {
            Self::Gt => value > threshold,
            Self::Lt => value < threshold,
            Self::Gte => value >= threshold,
            Self::Lte => value <= threshold,
        }
    }

    /// The worse of two values that breach.
    #[must_use]
    pub fn worse(self, a: ExactDecimal, b: ExactDecimal) -> ExactDecimal {
        match self {
            Self::Gt | Self::Gte => a.max(b),
            Self::Lt | Self::Lte => a.min(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rule::tests::number;

    #[test]
    fn comparators_differ_at_the_threshold() {
        for (comparator, below, at, above) in [
            (Comparator::Gt, false, false, true),
            (Comparator::Gte, false, true, true),
            (Comparator::Lt, true, false, false),
            (Comparator::Lte, true, true, false),
        ] {
            let breaches = |value| comparator.breaches(number(value), number("10"));
            assert_eq!(
                (breaches("9.99"), breaches("10.00"), breaches("10.01")),
                (below, at, above)
            );
        }
    }
}
