//! What an API key may be used for.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, str::FromStr};

/// One thing that an API key may be used for. None includes another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Scope {
    /// See devices, with their tags, status and latest readings.
    #[serde(rename = "devices:read")]
    DevicesRead,
    /// Provision, change and delete devices.
    #[serde(rename = "devices:write")]
    DevicesWrite,
    /// See readings, what was refused, and rollups.
    #[serde(rename = "readings:read")]
    ReadingsRead,
    /// See alerts and rules, and try rules on stored readings.
    #[serde(rename = "alerts:read")]
    AlertsRead,
    /// Make, change and delete rules; acknowledge and resolve alerts.
    #[serde(rename = "alerts:write")]
    AlertsWrite,
    /// Make, change and delete webhooks.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
}

/// The text is not the name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a scope")]
pub struct ScopeError;

impl Scope {
    /// All that there are.
    pub const ALL: [Self; 6] = [
        Self::DevicesRead,
        Self::DevicesWrite,
        Self::ReadingsRead,
        Self::AlertsRead,
        Self::AlertsWrite,
        Self::WebhooksWrite,
    ];

    /// The name that the API and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DevicesRead => "devices:read",
            Self::DevicesWrite => "devices:write",
            Self::ReadingsRead => "readings:read",
            Self::AlertsRead => "alerts:read",
            Self::AlertsWrite => "alerts:write",
            Self::WebhooksWrite => "webhooks:write",
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        named.ok_or(ScopeError)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// At least one scope, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(BTreeSet<Scope>);

/// There is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must name at least one scope")]
pub struct ScopesError;

impl Scopes {
    /// Reads names with a blank between each two (RFC 6749, section 3.3).
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let scopes = text.split(' ').map(Scope::from_str);
        scopes.collect::<Result<_, _>>().map(Self)
    }

    /// Whether this scope is one of them.
    #[must_use]
    pub fn contain(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl TryFrom<Vec<Scope>> for Scopes {
    type Error = ScopesError;

    fn try_from(scopes: Vec<Scope>) -> Result<Self, Self::Error> {
        if scopes.is_empty() {
            Err(ScopesError)
        } else {
            Ok(Self(scopes.into_iter().collect()))
        }
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0.into_iter().collect()
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(json!(scope), json!(scope.as_str()));
        }
        let all = Scopes::try_from(Scope::ALL.to_vec()).unwrap();
        assert_eq!(Scopes::parse(&all.to_string()), Ok(all));
        for text in ["", "devices", "devices:read  alerts:read", "DEVICES:READ"] {
            assert_eq!(Scopes::parse(text), Err(ScopeError), "{text}");
        }
    }

    #[test]
    fn there_is_at_least_one_and_each_once() {
        let scopes = |value| serde_json::from_value::<Scopes>(value);
        assert!(scopes(json!([])).is_err());
        assert!(scopes(json!(["devices"])).is_err());
        let twice = scopes(json!(["devices:write", "devices:read", "devices:write"])).unwrap();
        assert_eq!(json!(twice), json!(["devices:read", "devices:write"]));
        assert!(twice.contain(Scope::DevicesWrite));
        assert!(!twice.contain(Scope::AlertsRead));
    }
}
