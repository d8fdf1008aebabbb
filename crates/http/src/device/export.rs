//! All devices of an owner as a sheet of any length.

use super::sheet::{Columns, MEDIA_TYPE, Row, Writer};
use crate::{
    observe::log_cause,
    problem::{Problem, ProblemKind},
    state::AppState,
};
use actix_web::{
    HttpResponse,
    http::header::CONTENT_DISPOSITION,
    rt::spawn,
    web::{Bytes, Data},
};
use domain::{
    device::{Device, DeviceId},
    page::{Cursor, PageLimit},
};
use futures_util::{Stream, stream::try_unfold};
use persistence::{
    Db,
    device::{self as store, DeviceFilter},
    session::OwnerId,
};
use std::{error::Error, sync::Arc};
use tokio::sync::Semaphore;
use tracing::{Instrument, Span};

/// Why the connection is cut; the reason itself is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the stream of devices was cut")]
struct Cut;

/// Answers all devices that a filter lets through, as fast as the client takes them.
///
/// What fails before the first row is a problem like any other. What fails later cuts the connection before the last
/// chunk, so that nobody takes a part for the whole.
pub(super) async fn export(
    state: &Data<AppState>,
    owner: OwnerId,
    filter: DeviceFilter,
) -> Result<HttpResponse, Problem> {
    let most = u64::try_from(Columns::MOST).unwrap_or(u64::MAX);
    let tags = store::tag_keys(&state.db, owner, &filter, most).await?;
    let mut export = Export {
        db: state.db.clone(),
        turns: Arc::clone(&state.exports),
        owner,
        filter,
        columns: Columns::new(tags),
        place: Place::Head,
        span: Span::current(),
    };
    let first = export.next().await?;
    let mut response = HttpResponse::Ok();
    response.content_type(MEDIA_TYPE);
    let name = "attachment; filename=\"devices.csv\"";
    response.insert_header((CONTENT_DISPOSITION, name));
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

/// How far a sheet has come.
enum Place {
    Head,
    After(Cursor<DeviceId>),
    End,
}

/// A sheet, between two pages. It holds no connection.
struct Export {
    db: Db,
    turns: Arc<Semaphore>,
    owner: OwnerId,
    filter: DeviceFilter,
    columns: Columns,
    place: Place,
    span: Span,
}

impl Export {
    /// The next piece of the body, never an empty one; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let mut writer = Writer::default();
        let after = match self.place {
            Place::Head => {
                writer.row(&self.columns.head()).map_err(internal)?;
                None
            }
            Place::After(cursor) => Some(cursor),
            Place::End => return Ok(None),
        };
        let (devices, next) = self.page(after).await?;
        for device in devices {
            let row = Row::try_from(device).map_err(internal)?;
            writer.row(&self.columns.cells(row)).map_err(internal)?;
        }
        self.place = next.map_or(Place::End, Place::After);
        let piece = writer.into_bytes().map_err(internal)?;
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    /// Reads a page. Streams take turns with those of readings, so that they leave the other connections to requests
    /// that someone waits for. The transaction runs in a task that goes on when the client hangs up.
    async fn page(
        &self,
        after: Option<Cursor<DeviceId>>,
    ) -> Result<(Vec<Device>, Option<Cursor<DeviceId>>), Problem> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(internal)?;
        let (db, owner, filter) = (self.db.clone(), self.owner, self.filter.clone());
        let read = async move {
            let page = store::list(&db, owner, &filter, after, PageLimit::MOST).await;
            drop(turn);
            page
        };
        let task = spawn(read.instrument(self.span.clone()));
        let page = task.await.map_err(internal)??;
        Ok((page.items, page.next))
    }
}

fn internal(error: impl Error + Send + Sync + 'static) -> Problem {
    Problem::new(ProblemKind::Internal).because(error)
}
