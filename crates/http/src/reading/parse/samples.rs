//! Samples of what was refused, to show an owner why data is missing.

use domain::rejection::MAX_SAMPLE;

/// Bytes of an item that are kept: more characters than a sample has, so that whoever makes one of it
/// sees that it was longer.
const KEPT: usize = MAX_SAMPLE * 4 + 4;

/// The last refused item of each code, as it was sent, and cut.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::reading) struct Samples(Vec<(&'static str, String)>);

impl Samples {
    /// Remembers the text of an item that was refused with this code.
    pub(super) fn keep(&mut self, code: &'static str, item: &[u8]) {
        let begin = item.get(..KEPT).unwrap_or(item);
        let text = String::from_utf8_lossy(begin).into_owned();
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, sample)) => *sample = text,
            None => self.0.push((code, text)),
        }
    }

    /// Each code with the beginning of its item, in the order in which the codes came up. It may hold
    /// anything, also a secret: it is made fit to be shown before it is kept for longer.
    pub(in crate::reading) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(code, text)| (*code, text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_code_is_kept_and_cut() {
        let mut samples = Samples::default();
        samples.keep("a", b"first");
        samples.keep("b", "é".repeat(10_000).as_bytes());
        samples.keep("a", b"last \xff");
        assert_eq!(samples.0[0], ("a", "last \u{fffd}".to_owned()));
        assert_eq!(samples.0[1].1, "é".repeat(KEPT / 2));
    }
}
