//! Names of what is measured, each kept in memory once for a request.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, collections::HashSet, sync::Arc};

// Shared, so that the readings of a batch have one text for each metric between them. Equality, order
// and hash are those of the text.
/// The name of what is measured: `[A-Za-z][A-Za-z0-9_.:/-]{0,63}`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$", example = json!("temperature"))]
pub struct Metric(Arc<str>);

/// The text is not the name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a letter followed by at most 63 letters, digits or any of _ . : / -")]
pub struct MetricError;

impl Metric {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Self, MetricError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if begins_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(MetricError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Metric {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Metric {
    type Error = MetricError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.as_str().to_owned()
    }
}

/// The names that one request has used so far, so that each is checked and allocated once.
#[derive(Debug, Default)]
pub(super) struct MetricNames {
    last: Option<Metric>,
    known: HashSet<Metric>,
}

impl MetricNames {
    /// The metric of this name.
    pub(super) fn get(&mut self, text: &str) -> Result<Metric, MetricError> {
        // Devices mostly send runs of one metric, which then need no hash.
        if let Some(last) = self.last.as_ref().filter(|last| last.as_str() == text) {
            return Ok(last.clone());
        }
        let metric = if let Some(known) = self.known.get(text) {
            known.clone()
        } else {
            let new = Metric::parse(text)?;
            self.known.insert(new.clone());
            new
        };
        self.last = Some(metric.clone());
        Ok(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_have_an_alphabet_and_a_length() {
        for name in ["t", "Temp.out:1/a-b_c", &"x".repeat(64)] {
            assert!(Metric::parse(name).is_ok(), "{name}");
        }
        for name in ["", "1t", "_t", "t t", "té", "t\n", "a'b", &"x".repeat(65)] {
            assert!(Metric::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_is_allocated_once_for_a_request() {
        let mut names = MetricNames::default();
        let first = names.get("t").unwrap();
        let other = names.get("u").unwrap();
        let again = names.get("t").unwrap();
        assert!(Arc::ptr_eq(&first.0, &again.0));
        assert!(first < other && names.get("9").is_err());
        assert!(Arc::ptr_eq(&first.0, &names.get("t").unwrap().0));
    }
}
