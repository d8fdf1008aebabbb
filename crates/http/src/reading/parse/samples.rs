//! Samples of what was refused, to show an owner why data is missing.

/// Most characters of a sample.
const LONGEST: usize = 200;

/// What a device key begins with.
const KEY: &str = "rdk_";

/// The last refused item of each code, as it was sent but for device keys, and cut.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::reading) struct Samples(Vec<(&'static str, String)>);

impl Samples {
    /// Remembers the text of an item that was refused with this code.
    pub(super) fn keep(&mut self, code: &'static str, item: &[u8]) {
        // Four bytes are the longest character; what is masked away must be able to follow.
        let begin = item.get(..LONGEST * 8).unwrap_or(item);
        let text = masked(&String::from_utf8_lossy(begin));
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, sample)) => *sample = text,
            None => self.0.push((code, text)),
        }
    }

    /// Each code with its sample of at most 200 characters, in the order in which the codes came up.
    pub(in crate::reading) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(code, text)| (*code, text.as_str()))
    }
}

/// The text without device keys, cut to a length.
fn masked(text: &str) -> String {
    let mut parts = text.split(KEY);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_key = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        masked.push_str(KEY);
        masked.push('…');
        masked.push_str(part.trim_start_matches(is_key));
    }
    if let Some((end, _)) = masked.char_indices().nth(LONGEST) {
        masked.truncate(end);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_kept() {
        for (text, expected) in [
            (r#"{"k":"rdk_abcDEF123","v":1}"#, r#"{"k":"rdk_…","v":1}"#),
            ("rdk_", "rdk_…"),
            ("rdk_ardk_b c", "rdk_…rdk_… c"),
            ("no key", "no key"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn the_last_of_each_code_is_kept_and_cut_between_characters() {
        let mut samples = Samples::default();
        samples.keep("a", b"first");
        samples.keep("b", "é".repeat(10_000).as_bytes());
        samples.keep("a", b"last \xff");
        assert_eq!(samples.0[0], ("a", "last \u{fffd}".to_owned()));
        assert_eq!(samples.0[1].1, "é".repeat(200));
    }
}
