//! As much of HTTP answers as the load generator needs to know that it was understood.

/// Room for an answer, and for what is read at once of one that is longer; most are some four hundred bytes.
const ROOM: usize = 16 * 1024;

/// The status of an answer that has no body.
const NOT_MODIFIED: &[u8] = b"304";

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Answer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; ROOM],
            filled: 0,
        }
    }

    /// Where the next bytes go.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.bytes.len() < self.filled + ROOM / 2 {
            self.bytes.resize(2 * self.bytes.len(), 0);
        }
        &mut self.bytes[self.filled..]
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes note of bytes that came, and answers whether that was all of it.
    pub(crate) fn add(&mut self, count: usize) -> bool {
        self.filled += count;
        let text = &self.bytes[..self.filled];
        let Some(head) = find(text, b"\r\n\r\n") else {
            assert!(self.filled < ROOM, "{}", self.text());
            return false;
        };
        let head = head + 4;
        if text.get(9..12) == Some(NOT_MODIFIED) {
            return true;
        }
        let Some(length) = find(&text[..head], b"content-length: ") else {
            panic!("an answer of unknown length: {}", self.text());
        };
        let length = number(&text[length + 16..]);
        self.filled >= head + length
    }

    /// How many readings it acknowledges as created; anything but full success ends the benchmark.
    pub(crate) fn created(&self, sent: usize) -> usize {
        let text = &self.bytes[..self.filled];
        let created = match (sent, text.get(9..12)) {
            (0, Some(b"200" | NOT_MODIFIED)) => 0,
            (1, Some(b"201")) => 1,
            (2.., Some(b"200")) => {
                find(text, b"\"accepted\":").map_or(0, |at| number(&text[at + 11..]))
            }
            _ => panic!("not what was asked for: {}", self.text()),
        };
        assert_eq!(created, sent, "{}", self.text());
        created
    }

    /// Whether it says that there is too much to do, and when to come again.
    pub(crate) fn is_refused(&self) -> bool {
        let text = &self.bytes[..self.filled];
        let is_refused = text.get(9..12) == Some(b"503");
        assert!(
            !is_refused || find(text, b"retry-after: ").is_some(),
            "{}",
            self.text()
        );
        is_refused
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.filled]).into_owned()
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The number that a text begins with.
fn number(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
