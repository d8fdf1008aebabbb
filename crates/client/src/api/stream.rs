//! Readings as a stream of lines, however long, packed on the wire.

use super::{Account, Call, Caller, Lost, transport};
use crate::failure::Failure;
use bytes::Bytes;
use flate2::write::GzDecoder;
use hyper::{StatusCode, body::Incoming, header};
use std::{io::Write, mem};

/// Longest line: a metric, a time and a value are far shorter.
const MAX_LINE: usize = 64 * 1024;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Whole lines, at least one of them, each with its line feed.
    Lines(Vec<u8>),
    /// The last line has come.
    End,
    /// The stream was broken off: go on from the last whole line.
    Cut,
}

/// The whole lines of a stream.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    gzip: Option<GzDecoder<Vec<u8>>>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

/// How a stream begins, or does not.
#[derive(Debug)]
pub(crate) enum Opened {
    Lines(Box<Lines>),
    /// Not now.
    Later(Option<std::time::Duration>),
}

impl Account {
    /// Asks for lines of CSV.
    pub(crate) async fn stream(&self, path: &str) -> Result<Opened, Failure> {
        let call = Call::get(path)
            .with("accept", "text/csv")
            .with("accept-encoding", "gzip");
        let mut token = self.token(None).await?;
        for again in [false, true] {
            let request = self.api.request(&call, Caller::User(&token));
            let request = request.map_err(Failure::Other)?;
            let response = match self.api.transport.open(request).await {
                Ok(response) => response,
                Err(Lost(_)) => return Ok(Opened::Later(None)),
            };
            if response.status() == StatusCode::OK {
                let coding = response.headers().get(header::CONTENT_ENCODING);
                let is_packed = coding.is_some_and(|coding| coding == "gzip");
                return Ok(Opened::Lines(Box::new(Lines {
                    body: response.into_body(),
                    gzip: is_packed.then(|| GzDecoder::new(Vec::new())),
                    rest: Vec::new(),
                })));
            }
            let Ok(answer) = transport::read(response).await else {
                return Ok(Opened::Later(None));
            };
            if answer.is_passing() {
                return Ok(Opened::Later(answer.retry_after));
            }
            if again || answer.status != StatusCode::UNAUTHORIZED {
                return Err(self.api.refused(&call, &answer));
            }
            token = self.token(Some(&token)).await?;
        }
        Ok(Opened::Later(None))
    }
}

impl Lines {
    /// What comes next.
    pub(crate) async fn next(&mut self) -> Result<Next, Failure> {
        loop {
            let Ok(piece) = transport::piece(&mut self.body).await else {
                return Ok(Next::Cut);
            };
            let is_over = piece.is_none();
            let Some(text) = self.inflate(piece) else {
                return Ok(Next::Cut);
            };
            self.rest.extend_from_slice(&text);
            let end = self.rest.iter().rposition(|byte| *byte == b'\n');
            if let Some(end) = end {
                let rest = self.rest.split_off(end + 1);
                return Ok(Next::Lines(mem::replace(&mut self.rest, rest)));
            }
            if is_over {
                // A line without its end is none.
                return Ok(if self.rest.is_empty() {
                    Next::End
                } else {
                    Next::Cut
                });
            }
            if self.rest.len() > MAX_LINE {
                return Err(Failure::other("the service sends a line without an end"));
            }
        }
    }

    /// The text of a piece, or of what is left at the end; none where it cannot be inflated.
    fn inflate(&mut self, piece: Option<Bytes>) -> Option<Vec<u8>> {
        match (&mut self.gzip, piece) {
            (Some(gzip), Some(piece)) => {
                gzip.write_all(&piece).ok()?;
                gzip.flush().ok()?;
                Some(mem::take(gzip.get_mut()))
            }
            (Some(_), None) => self.gzip.take()?.finish().ok(),
            (None, Some(piece)) => Some(piece.to_vec()),
            (None, None) => Some(Vec::new()),
        }
    }
}
