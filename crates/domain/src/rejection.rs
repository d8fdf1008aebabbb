//! Rejections: why readings that a device posted are not to be found.

use crate::{Timestamp, device::mask_keys};

/// Most characters of a sample.
pub const MAX_SAMPLE: usize = 200;

/// Most characters of a detail.
pub const MAX_DETAIL: usize = 300;

/// What a device was refused for one reason, all times taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The stable word for the reason, as the device was told.
    pub code: String,
    /// Readings that were refused for it, or whole requests where it is about them.
    pub count: u64,
    /// When that first happened.
    pub first_seen_at: Timestamp,
    /// When it last happened.
    pub last_seen_at: Timestamp,
    /// What the device was told the last time; at most [`MAX_DETAIL`] characters.
    pub detail: String,
    /// The beginning of what it sent the last time; at most [`MAX_SAMPLE`] characters.
    pub sample: Option<String>,
}

/// Makes a text that came from outside fit to keep and to show: at most `most` characters (the last
/// of them `…` where it was longer), on one line, without device keys.
///
/// Control characters become spaces; one of them, NUL, `PostgreSQL` could not even store.
#[must_use]
pub fn tidy(text: &str, most: usize) -> String {
    let mut kept: String = text.chars().take(most).collect();
    if kept.len() < text.len() {
        kept.pop();
        kept.push('…');
    }
    // After the cut: what is left of a key that was cut in two is masked too.
    mask_keys(&kept.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKey;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_cut_at_characters_and_put_on_one_line() {
        assert_eq!(tidy("{\n\"a\":\0\u{7f}1}", 200), "{ \"a\":  1}");
        assert_eq!(tidy("äöü", 3), "äöü");
        assert_eq!(tidy("äöüß", 3), "äö…");
        assert_eq!(tidy("", 3), "");
    }

    proptest! {
        #[test]
        fn no_key_gets_through(
            random: [u8; 32], before in "\\PC{0,220}", after in "\\PC{0,220}", most in 1_usize..300,
        ) {
            let key = DeviceKey::new(random);
            let tidied = tidy(&format!("{before}{}{after}", key.reveal()), most);
            prop_assert!(tidied.chars().count() <= most);
            prop_assert!(!tidied.chars().any(char::is_control));
            for rest in tidied.split("rdk_").skip(1) {
                prop_assert!(!rest.starts_with(|c: char| c.is_ascii_alphanumeric()), "{}", tidied);
            }
        }
    }
}
