//! Versions of things that are edited, and edits that are meant for one of them.

/// Which versions of a thing an edit is meant for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is like now.
    #[default]
    Any,
    /// One of these; of no version, where there is none here.
    OneOf(Vec<i32>),
    /// Any but these.
    NoneOf(Vec<i32>),
}

/// The thing has another version than an edit is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has version {version} now, which is none that the request is meant for")]
pub struct Outdated {
    /// The version that it has.
    pub version: i32,
}

/// Why an edit is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError<E> {
    /// Someone else was faster.
    #[error(transparent)]
    Outdated(#[from] Outdated),
    /// What would result is not valid.
    #[error("{0}")]
    Invalid(E),
}

impl Expected {
    /// Whether the edit is meant for this version. To be asked under the lock under which the edit is made.
    pub fn check(&self, version: i32) -> Result<(), Outdated> {
        let holds = match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
            Self::NoneOf(versions) => !versions.contains(&version),
        };
        holds.then_some(()).ok_or(Outdated { version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_for_the_versions_that_it_names() {
        for (expected, held) in [
            (Expected::Any, [true, true]),
            (Expected::OneOf(vec![2, 7]), [false, true]),
            (Expected::OneOf(vec![]), [false, false]),
            (Expected::NoneOf(vec![2]), [true, false]),
            (Expected::NoneOf(vec![]), [true, true]),
        ] {
            let holds = [1, 2].map(|version| expected.check(version).is_ok());
            assert_eq!(holds, held, "{expected:?}");
        }
    }
}
