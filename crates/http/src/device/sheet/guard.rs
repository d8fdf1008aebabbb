//! Cells that a spreadsheet would take for formulas.
//!
//! As OWASP has it ("CSV Injection"), such a cell gets an apostrophe before it, which a spreadsheet takes for "this is
//! text". On the way in it is taken off again, so that nothing is changed by going out and in: an apostrophe before
//! what is no formula is left alone in both directions. Plain numbers such as `-1` are no formulas.

use std::borrow::Cow;

/// What a formula begins with, also in full width.
const BEGINNINGS: [char; 10] = [
    '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// The text of a cell that is shown as it is.
pub(super) fn guard(text: &str) -> Cow<'_, str> {
    if is_formula(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that [`guard`] made a cell of.
pub(super) fn unguard(cell: &str) -> &str {
    let rest = cell.strip_prefix('\'');
    rest.filter(|it| is_formula(it)).unwrap_or(cell)
}

/// Whether there is a formula in a text, after any apostrophes, so that those that were there before are told from
/// the one that was added.
fn is_formula(text: &str) -> bool {
    let text = text.trim_start_matches('\'');
    text.starts_with(BEGINNINGS) && !is_number(text)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    digits.bytes().all(is_part) && digits.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_guarded_and_nothing_else_is() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("-", "'-"),
            ("'=1", "''=1"),
            ("＝1", "'＝1"),
            ("-1", "-1"),
            ("+4.5", "+4.5"),
            ("'t", "'t"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(guard(text), cell);
            assert_eq!(unguard(cell), text);
        }
    }

    proptest! {
        #[test]
        fn what_was_guarded_comes_back(text in "['=+@\\-1a]{0,6}|\\PC*") {
            let cell = guard(&text);
            prop_assert_eq!(unguard(&cell), text.as_str());
            let is_plain = !cell.starts_with(BEGINNINGS) || is_number(&cell);
            prop_assert!(is_plain, "{}", cell);
        }
    }
}
