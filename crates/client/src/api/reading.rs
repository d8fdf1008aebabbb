//! Posting readings as a device, and what became of each.

use super::{Api, Call, Caller, Lost};
use crate::failure::Failure;
use bytes::Bytes;
use domain::device::DeviceKey;
use flate2::{Compression, write::GzEncoder};
use hyper::StatusCode;
use serde::Deserialize;
use std::{io::Write, time::Duration};

/// Bodies that are larger than this are packed.
const PACK_FROM: usize = 8 * 1024;

/// What the service says of a batch.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) accepted: u64,
    #[serde(default)]
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    rejected: u64,
    pub(crate) errors: Vec<ItemError>,
}

/// Why a reading was not stored.
#[derive(Debug, Deserialize)]
pub(crate) struct ItemError {
    /// Its place in the batch, from 0.
    pub(crate) index: usize,
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) retryable: bool,
}

/// What became of a post.
#[derive(Debug)]
pub(crate) enum Posted {
    /// It was looked at, reading by reading.
    Taken(Receipt),
    /// Nobody knows, or not now: post it again, which is harmless.
    Later {
        /// A word for the cause.
        code: String,
        /// What the service asks for.
        after: Option<Duration>,
    },
    /// It will never be taken.
    Refused(Failure),
}

impl Api {
    /// Posts lines of JSON, so many of them, as a device.
    pub(crate) async fn post_readings(&self, key: &DeviceKey, lines: &Bytes, count: u64) -> Posted {
        let (body, is_packed) = match pack(lines) {
            Some(packed) => (packed, true),
            None => (lines.clone(), false),
        };
        let mut call = Call::post_bytes("/readings", "application/x-ndjson", body);
        if is_packed {
            call = call.with("content-encoding", "gzip");
        }
        let answer = match self.ask(&call, Caller::Device(key)).await {
            Ok(answer) => answer,
            Err(Lost(_)) => {
                return Posted::Later {
                    code: "connection".to_owned(),
                    after: None,
                };
            }
        };
        if answer.is_passing() {
            return Posted::Later {
                code: answer.code(),
                after: answer.retry_after,
            };
        }
        let has_receipt = answer.status == StatusCode::OK
            || (answer.status == StatusCode::UNPROCESSABLE_ENTITY
                && answer.code() == "no_usable_reading");
        let receipt = has_receipt.then(|| serde_json::from_slice::<Receipt>(&answer.body).ok());
        match receipt.flatten().filter(|it| it.is_whole(count)) {
            Some(receipt) => Posted::Taken(receipt),
            None => Posted::Refused(self.refused(&call, &answer)),
        }
    }
}

impl Receipt {
    /// Whether it tells of so many readings.
    fn is_whole(&self, count: u64) -> bool {
        let named = u64::try_from(self.errors.len()).ok();
        named == Some(self.rejected) && self.accepted + self.duplicates + self.rejected == count
    }
}

/// Packs what is large.
fn pack(lines: &Bytes) -> Option<Bytes> {
    if lines.len() < PACK_FROM {
        return None;
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(lines).ok()?;
    gzip.finish().ok().map(Bytes::from)
}
