//! Walks through JSON text (RFC 8259) once, from value to value, without making any.
//!
//! Arrays and objects are walked through here, so that one bad item does not end the whole; what a
//! single value is, in all its forms, `serde_json` decides.

use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// A place in a text.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of what comes next, if anything does.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// The place of what comes next, for [`Scanner::since`].
    pub(super) fn place(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// The text from a place up to here.
    pub(super) fn since(&self, place: usize) -> &'a str {
        self.text.get(place..self.at).unwrap_or_default()
    }

    /// Takes the next value whole, and answers its text.
    pub(super) fn value(&mut self) -> Result<&'a str, NotJson> {
        self.peek();
        let rest = self.text.get(self.at..).ok_or(NotJson)?;
        let length = match simple(rest.as_bytes()) {
            Some(length) => length,
            None => any(rest)?,
        };
        let begin = self.at;
        self.at += length;
        self.text.get(begin..self.at).ok_or(NotJson)
    }

    /// Takes an array; `each` takes one item.
    pub(super) fn array<E: From<NotJson>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.take(b',') {
                return Ok(self.expect(b']')?);
            }
        }
    }

    /// Takes an object; `each` is given the text of a name, quotes included, and takes its value.
    pub(super) fn object<E: From<NotJson>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(NotJson.into());
            }
            let name = self.value()?;
            self.expect(b':')?;
            each(self, name)?;
            if !self.take(b',') {
                return Ok(self.expect(b'}')?);
            }
        }
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), NotJson> {
        self.peek().map_or(Ok(()), |_| Err(NotJson))
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        self.take(byte).then_some(()).ok_or(NotJson)
    }
}

/// The length of a string without escapes, or of a number without exponent: most values by far.
fn simple(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'"', content @ ..] => {
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let length = content.iter().position(special)?;
            (content.get(length) == Some(&b'"')).then_some(length + 2)
        }
        [b'-' | b'0'..=b'9', ..] => simple_number(rest),
        _ => None,
    }
}

fn simple_number(rest: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = rest.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let begin = usize::from(rest.first() == Some(&b'-'));
    let whole = digits(begin);
    let mut end = begin + whole;
    if whole == 0 || (whole > 1 && rest.get(begin) == Some(&b'0')) {
        return None;
    }
    if rest.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    (!matches!(rest.get(end), Some(b'e' | b'E'))).then_some(end)
}

/// The length of any value at all, however deep.
fn any(rest: &str) -> Result<usize, NotJson> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(values.byte_offset()),
        Some(Err(_)) | None => Err(NotJson),
    }
}

/// The content of a string; nothing where the value is none, or escapes half a character.
pub(super) fn string(value: &str) -> Option<Cow<'_, str>> {
    let content = value.strip_prefix('"')?.strip_suffix('"')?;
    if content.contains('\\') {
        return serde_json::from_str(value).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes a value by walking through everything that can be walked through.
    fn walk(scanner: &mut Scanner) -> Result<(), NotJson> {
        match scanner.peek() {
            Some(b'[') => scanner.array(walk),
            Some(b'{') => scanner.object(|scanner, _| walk(scanner)),
            _ => scanner.value().map(drop),
        }
    }

    fn is_json(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        walk(&mut scanner).and_then(|()| scanner.end()).is_ok()
    }

    #[test]
    fn it_is_as_strict_as_serde_json() {
        for text in [
            "",
            " ",
            "1",
            "-",
            "-0",
            "01",
            "1.",
            ".1",
            "1e5",
            "1e",
            "1E+400",
            "1x",
            "1 2",
            "\"",
            "\"\\",
            "\"\u{1}\"",
            "\"\\ud800\"",
            "\"\\x\"",
            "\"é\"",
            "[",
            "]",
            "[]",
            "[,]",
            "[1,]",
            "[1 2]",
            "[1\"a\"]",
            "{",
            "{}",
            "{,}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" : [ ] }",
            "{\"a\":1}}",
            "nul",
            "null",
            "true1",
            "[true,false]",
            "\u{feff}[]",
            "\u{a0}1",
            "[1]\0",
        ] {
            let expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
            assert_eq!(is_json(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_as_strict_as_serde_json_on_anything(text in "[\\[\\]{}\",:0-9.eE+\\\\ u\n-]{0,16}|\\PC*") {
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_json(&text), expected);
        }

        #[test]
        fn a_byte_more_or_less_is_noticed(place in 0..70_usize, byte in "[\\[\\]{}\",:0e.\\\\ -]?") {
            let mut text = r#"{"readings": [{"metric":"t","value":-1.50,"recorded_at":null}, [1e5]]}"#.to_owned();
            text.replace_range(place..=place, &byte);
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_json(&text), expected);
        }
    }
}
