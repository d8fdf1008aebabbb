//! Posting a piece of a file: the devices at once, each in the order of its lines.

use super::chunk::{Batch, Chunk, Rejected};
use crate::{
    api::{Api, Posted, Receipt},
    backoff::Backoff,
    failure::Failure,
    progress::Progress,
    sheet::{Sheet, SheetDevice},
    stop::Stop,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long a post is tried again that fails; one that exceeds a quota waits for its turn, however long.
const PATIENCE: Duration = Duration::from_mins(5);

/// What posts with.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    pub(super) api: &'a Api,
    pub(super) sheet: &'a Sheet,
    pub(super) parallel: usize,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a Stop,
}

/// What became of the readings of a piece.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) stored: u64,
    pub(super) duplicates: u64,
    /// Why a record was refused, by its place in the piece.
    reasons: BTreeMap<usize, Vec<String>>,
}

impl Sender<'_> {
    /// Posts a piece to its end; none if someone asks to stop before.
    pub(super) async fn send(&self, chunk: &Chunk) -> Result<Option<Sent>, Failure> {
        let devices = stream::iter(&chunk.devices)
            .map(|(device, batches)| self.device(*device, batches))
            .buffer_unordered(self.parallel);
        let each: Vec<Option<Sent>> = devices.try_collect().await?;
        let mut all = Sent::default();
        for sent in each {
            let Some(sent) = sent else {
                return Ok(None);
            };
            all.stored += sent.stored;
            all.duplicates += sent.duplicates;
            all.reasons.extend(sent.reasons);
        }
        Ok(Some(all))
    }

    async fn device(&self, place: usize, batches: &[Batch]) -> Result<Option<Sent>, Failure> {
        let Some(device) = self.sheet.devices.get(place) else {
            return Ok(Some(Sent::default()));
        };
        let mut sent = Sent::default();
        for batch in batches {
            let Some(receipt) = self.post(device, batch).await? else {
                return Ok(None);
            };
            sent.stored += receipt.accepted;
            sent.duplicates += receipt.duplicates;
            for error in receipt.errors {
                if let Some(record) = batch.records.get(error.index) {
                    let reason = format!("{} ({})", error.detail, error.code);
                    sent.reasons.entry(*record).or_default().push(reason);
                }
            }
        }
        Ok(Some(sent))
    }

    /// Posts until it is taken; none if someone asks to stop.
    async fn post(&self, device: &SheetDevice, batch: &Batch) -> Result<Option<Receipt>, Failure> {
        let count = u64::try_from(batch.records.len()).unwrap_or_default();
        let (mut backoff, mut since) = (Backoff::default(), Instant::now());
        while !self.stop.is_asked() {
            let (code, after) = match self
                .api
                .post_readings(&device.key, &batch.lines, count)
                .await
            {
                Posted::Taken(receipt) => return Ok(Some(receipt)),
                Posted::Refused(failure) => return Err(named(device, failure)),
                Posted::Later { code, after } => (code, after),
            };
            let pause = if code == "rate_limited" {
                since = Instant::now();
                after.unwrap_or(Duration::from_secs(1))
            } else {
                backoff.failed(after)
            };
            if since.elapsed() + pause > PATIENCE {
                return Err(Failure::other(format!(
                    "readings are not taken for {} minutes ({code}): run the same command again to go on",
                    PATIENCE.as_secs() / 60
                )));
            }
            self.progress.tell(format!("waiting ({code})"));
            self.stop.sleep(pause).await;
        }
        Ok(None)
    }
}

impl Sent {
    /// The records of a piece that were refused, together with those that were no readings, by line.
    pub(super) fn rejected(self, chunk: &mut Chunk) -> Vec<Rejected> {
        let mut rejected = std::mem::take(&mut chunk.rejected);
        rejected.extend(self.reasons.into_iter().filter_map(|(place, reasons)| {
            let (line, record) = chunk.records.get(place)?;
            Some(Rejected {
                line: *line,
                record: record.clone(),
                reason: reasons.join("; "),
            })
        }));
        rejected.sort_by_key(|it| it.line);
        rejected
    }
}

/// Says of which device it is.
fn named(device: &SheetDevice, failure: Failure) -> Failure {
    if device.name.is_empty() {
        return failure;
    }
    Failure::other(format!("{}: {failure}", device.name))
}
