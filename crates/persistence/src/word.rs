//! Words that columns hold, such as a status.

use crate::StoreError;

/// The value that a stored word stands for, among all that there are.
pub(crate) fn parse<T: Copy>(
    what: &'static str,
    all: &[T],
    as_str: fn(T) -> &'static str,
    text: &str,
) -> Result<T, StoreError> {
    all.iter()
        .copied()
        .find(|value| as_str(*value) == text)
        .ok_or_else(|| StoreError::corrupt(what, text))
}
