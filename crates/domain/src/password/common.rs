//! The passwords that attackers try first.

use std::{collections::HashSet, sync::LazyLock};

/// 10,000 of at least 8 characters, in lower case; where they come from, and under which licences, says
/// `common.LICENSE` beside them.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Whether a password in lower case is one of them.
pub(super) fn is_common(lower_case: &str) -> bool {
    COMMON.contains(lower_case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_its_words_say() {
        assert_eq!(COMMON.len(), 10_000);
        for password in COMMON.iter() {
            assert!(password.chars().count() >= 8, "{password}");
            assert_eq!(*password, password.to_lowercase());
        }
    }
}
