//! Readings as a stream of any length: CSV, or lines of JSON.

use super::ReadingView;
use crate::{
    accept,
    body::Coding,
    observe::log_cause,
    problem::{Problem, ProblemKind},
    state::AppState,
    view::found,
};
use actix_web::{HttpRequest, HttpResponse, http::header, web::Bytes};
use chrono::SecondsFormat;
use domain::{
    device::DeviceId,
    page::{Cursor, PageLimit},
    reading::{Reading, Sweep, earliest},
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, stream::try_unfold};
use persistence::{
    Db,
    reading::{self as store, ReadingFilter, ReadingKey},
    session::OwnerId,
};
use std::{
    borrow::Cow,
    io::{self, Write},
    mem,
    sync::Arc,
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use tracing::{Instrument, Span};

/// How a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// RFC 4180, with a header.
    Csv,
    /// The objects of the JSON list, each on a line of its own.
    Ndjson,
}

/// Whose readings to stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) owner: OwnerId,
    pub(super) device: DeviceId,
}

/// Why the connection is cut; the reason itself is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the stream of readings was cut")]
struct Cut;

/// Answers all readings in a range, as fast as the client takes them.
///
/// What fails before the first reading is a problem like any other. What fails later cuts the
/// connection before the last chunk, so that nobody takes a part for the whole.
pub(super) async fn export(
    request: &HttpRequest,
    state: &AppState,
    source: Source,
    filter: ReadingFilter,
    lines: Lines,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let horizon = store::horizon(&state.db, source.owner, source.device, now).await?;
    let gzip = accept::coding(request.headers(), &[Coding::Gzip]) == Coding::Gzip;
    let mut export = Export::new(
        state,
        source,
        filter,
        found(horizon)?,
        Packer::new(lines, gzip),
    );
    let first = export.next().await?;

    let mut response = HttpResponse::Ok();
    response.content_type(lines.media_type());
    if gzip {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    if lines == Lines::Csv {
        let name = "attachment; filename=\"readings.csv\"";
        response.insert_header((header::CONTENT_DISPOSITION, name));
    }
    Ok(response.streaming(rest(first, export)))
}

/// The first piece, and those after it as they are asked for.
fn rest(first: Option<Bytes>, export: Export) -> impl Stream<Item = Result<Bytes, Cut>> {
    try_unfold((first, export), async |(first, mut export)| {
        let piece = match first {
            Some(first) => Some(first),
            None => export.next().await.map_err(|problem| {
                export.span.in_scope(|| log_cause(&problem));
                Cut
            })?,
        };
        Ok(piece.map(|piece| (piece, (None, export))))
    })
}

/// A stream of readings, between two pages. It holds no connection.
struct Export {
    db: Db,
    turns: Arc<Semaphore>,
    source: Source,
    filter: ReadingFilter,
    sweep: Sweep,
    after: Option<Cursor<ReadingKey>>,
    /// None once the end is written.
    packer: Option<Packer>,
    span: Span,
}

impl Export {
    /// Everything in the range of the filter that is before the horizon, so that the stream ends
    /// though readings go on arriving.
    fn new(
        state: &AppState,
        source: Source,
        filter: ReadingFilter,
        horizon: domain::Timestamp,
        packer: Packer,
    ) -> Self {
        let start = filter.range.start.unwrap_or_else(earliest).max(earliest());
        let end = filter.range.end.unwrap_or(horizon).min(horizon);
        Self {
            db: state.db.clone(),
            turns: Arc::clone(&state.exports),
            source,
            sweep: Sweep::new(start, end, filter.order),
            filter,
            after: None,
            packer: Some(packer),
            span: Span::current(),
        }
    }

    /// The next piece of the body, never an empty one; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while let Some(mut packer) = self.packer.take() {
            let page = self.page().await?;
            let ended = page.is_none();
            // Writing and packing a page takes milliseconds, for which other requests need not wait.
            let written = spawn_blocking(move || {
                let piece = match page {
                    Some(readings) => packer.add(readings),
                    None => packer.end(),
                };
                piece.map(|piece| (piece, packer))
            });
            let (piece, packer) = written.await.map_err(internal)?.map_err(internal)?;
            self.packer = (!ended).then_some(packer);
            if !piece.is_empty() {
                return Ok(Some(piece.into()));
            }
        }
        Ok(None)
    }

    /// The readings of the next window, up to a page of them; none when nothing is left.
    ///
    /// Streams take turns, a page at a time, so that however many there are, they leave the other
    /// connections to requests that someone waits for. The transaction runs in a task that goes on
    /// when the client hangs up.
    async fn page(&mut self) -> Result<Option<Vec<Reading>>, Problem> {
        let Some(window) = self.sweep.window() else {
            return Ok(None);
        };
        self.filter.range = window;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(internal)?;
        let (db, source) = (self.db.clone(), self.source);
        let (filter, from) = (self.filter.clone(), (self.after, PageLimit::STREAM));
        let read = async move {
            let page = store::list(&db, source.owner, source.device, &filter, from).await;
            drop(turn);
            page
        };
        let task = actix_web::rt::spawn(read.instrument(self.span.clone()));
        let page = found(task.await.map_err(internal)??)?;
        match page.next {
            Some(Cursor(key)) => {
                self.after = Some(Cursor(key));
                self.sweep.filled(key.0);
            }
            None => self.sweep.exhausted(),
        }
        Ok(Some(page.items))
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::new(ProblemKind::Internal).because(error)
}

/// Writes readings as lines, and packs them.
struct Packer {
    lines: Lines,
    /// What comes before the first line.
    head: &'static str,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Packer {
    fn new(lines: Lines, gzip: bool) -> Self {
        Self {
            lines,
            head: lines.head(),
            gzip: gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast())),
        }
    }

    /// The bytes of these readings, all of them, so that nothing gathers here.
    fn add(&mut self, readings: Vec<Reading>) -> io::Result<Vec<u8>> {
        let mut text = mem::take(&mut self.head).as_bytes().to_vec();
        for reading in readings {
            self.lines.write(&mut text, reading)?;
        }
        match &mut self.gzip {
            Some(gzip) if !text.is_empty() => {
                gzip.write_all(&text)?;
                gzip.flush()?;
                Ok(mem::take(gzip.get_mut()))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// The bytes after the last reading.
    fn end(&mut self) -> io::Result<Vec<u8>> {
        let mut last = self.add(Vec::new())?;
        if let Some(gzip) = self.gzip.take() {
            last.extend(gzip.finish()?);
        }
        Ok(last)
    }
}

impl Lines {
    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Csv => "metric,recorded_at,value\r\n",
            Self::Ndjson => "",
        }
    }

    /// Writes one reading, its digits and its time as the JSON list has them.
    fn write(self, text: &mut Vec<u8>, reading: Reading) -> io::Result<()> {
        match self {
            Self::Csv => {
                let metric = field(reading.metric.as_str());
                let time = reading
                    .recorded_at
                    .to_rfc3339_opts(SecondsFormat::AutoSi, true);
                write!(text, "{metric},{time},{}\r\n", reading.value)
            }
            Self::Ndjson => {
                serde_json::to_writer(&mut *text, &ReadingView::from(reading))?;
                text.write_all(b"\n")
            }
        }
    }
}

/// A field of CSV. No metric needs quotes as long as its alphabet is what it is.
fn field(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_has_quotes_only_where_it_needs_them() {
        assert_eq!(field("a/b:c"), "a/b:c");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field("a\nb"), "\"a\nb\"");
    }
}
