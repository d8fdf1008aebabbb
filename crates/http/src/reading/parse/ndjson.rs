//! Readings as lines of JSON, read one by one as they are inflated.

use super::{Items, Stop, json};
use domain::reading::ReadingError;

/// Most bytes of a line, without its end.
const LONGEST_LINE: usize = 64 * 1024;

/// Takes a body in pieces that are cut anywhere, and reads each line when its end has come.
///
/// Blank lines are no items, so the place of an item is the one among the others. A line that is no
/// reading, no JSON, no UTF-8 or too long is refused for itself alone.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What has come of a line that has not ended, up to the longest.
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, piece: &[u8], items: &mut Items) -> Result<(), Stop> {
        let mut lines = piece.split_inclusive(|byte| *byte == b'\n');
        lines.try_for_each(|line| match line.split_last() {
            Some((b'\n', line)) if self.is_fresh() => take(line, items),
            Some((b'\n', line)) => {
                self.keep(line);
                self.end(items)
            }
            Some(_) | None => {
                self.keep(line);
                Ok(())
            }
        })
    }

    /// Reads the line that was begun; the last one needs no end of its own.
    pub(super) fn end(&mut self, items: &mut Items) -> Result<(), Stop> {
        let line = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.is_too_long) {
            refuse_length(&line, items)?;
        } else {
            take(&line, items)?;
        }
        // The room that it took serves for the next one.
        self.begun = line;
        self.begun.clear();
        Ok(())
    }

    fn is_fresh(&self) -> bool {
        self.begun.is_empty() && !self.is_too_long
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST_LINE - self.begun.len();
        self.is_too_long |= part.len() > room;
        self.begun.extend(part.iter().take(room));
    }
}

fn take(line: &[u8], items: &mut Items) -> Result<(), Stop> {
    if line.len() > LONGEST_LINE {
        return refuse_length(line, items);
    }
    if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
        return Ok(());
    }
    items.has_room()?;
    let parsed = match std::str::from_utf8(line) {
        Ok(text) => json::single(text, &mut items.intake),
        Err(_) => Err(ReadingError::Malformed("is not UTF-8".to_owned())),
    };
    items.push(parsed, line);
    Ok(())
}

fn refuse_length(line: &[u8], items: &mut Items) -> Result<(), Stop> {
    items.has_room()?;
    let detail = format!("is a line of more than {LONGEST_LINE} bytes");
    items.push(Err(ReadingError::Malformed(detail)), line);
    Ok(())
}
