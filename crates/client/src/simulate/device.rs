//! A device of the fleet: what it measures waits in it until the service has acknowledged it.

use super::{
    ledger::Ledger,
    profile::{Gauge, Profile, Sample},
    stats::Stats,
};
use crate::{
    api::{Api, Posted, Receipt},
    backoff::Backoff,
};
use bytes::Bytes;
use chrono::SecondsFormat;
use domain::device::{DeviceId, DeviceKey};
use std::{
    collections::{HashMap, VecDeque},
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};

/// Most readings that wait in a device.
pub(super) const CAPACITY: usize = 10_000;

/// Most readings of a post.
pub(super) const BATCH: usize = 2_000;

/// How long to wait before readings are posted again that were refused for now.
const NOT_YET: Duration = Duration::from_secs(5);

/// What all devices post with.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) api: Api,
    pub(super) stats: Arc<Stats>,
    pub(super) turns: Arc<Semaphore>,
}

/// A device of the fleet.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) number: u32,
    pub(super) id: DeviceId,
    pub(super) name: String,
    pub(super) key: DeviceKey,
    pub(super) gauge: Gauge,
    pub(super) waiting: VecDeque<Sample>,
    /// What was acknowledged.
    pub(super) ledger: Ledger,
    posts: u64,
    backoff: Backoff,
}

impl Device {
    pub(super) fn new(
        number: u32,
        id: DeviceId,
        name: String,
        key: DeviceKey,
        gauge: Gauge,
    ) -> Self {
        Self {
            number,
            id,
            name,
            key,
            gauge,
            waiting: VecDeque::new(),
            ledger: Ledger::default(),
            posts: 0,
            backoff: Backoff::of(number.into()),
        }
    }

    /// Takes what was measured, if there is room for it.
    pub(super) fn take(&mut self, samples: Vec<Sample>, stats: &Stats) {
        if self.waiting.len() + samples.len() > CAPACITY {
            stats.missed(samples.len());
            return;
        }
        stats.measured(samples.len());
        self.waiting.extend(samples);
    }

    /// Posts what has waited longest; or tells how long to wait before it is tried again.
    pub(super) async fn deliver(&mut self, post: &Post) -> Result<(), Duration> {
        let batch = self.batch();
        let (Some(lines), Ok(_turn)) = (lines(&batch), post.turns.acquire().await) else {
            return Ok(());
        };
        self.posts += 1;
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let started = Instant::now();
        let answer = post.api.post_readings(&self.key, &lines, count);
        let posted = match self.loses_patience() {
            Some(after) => timeout(after, answer)
                .await
                .unwrap_or_else(|_| Posted::Later {
                    code: "gave up".to_owned(),
                    after: Some(Duration::ZERO),
                }),
            None => answer.await,
        };
        match posted {
            Posted::Taken(receipt) => {
                self.backoff.succeeded();
                let outcome = self.settle(&batch, &receipt, started.elapsed(), &post.stats);
                if self.posts_again() {
                    self.again(post, &lines, count).await;
                }
                outcome
            }
            Posted::Later { code, after } => {
                post.stats.failed(&code);
                Err(self.backoff.failed(after))
            }
            Posted::Refused(failure) => {
                // Someone may have disabled the device, and may enable it again.
                post.stats.failed(&code_of(&failure));
                Err(NOT_YET)
            }
        }
    }

    /// What is posted next; a flaky device does so in any order.
    fn batch(&self) -> Vec<Sample> {
        let mut batch: Vec<_> = self.waiting.iter().take(BATCH).copied().collect();
        if self.gauge.profile == Profile::Flaky {
            let order = |sample: &Sample| {
                let micros = sample.recorded_at.timestamp_micros().unsigned_abs();
                self.gauge.chance(20, micros)
            };
            batch.sort_by_key(order);
        }
        batch
    }

    /// Takes away what was acknowledged or refused for good, and keeps the rest.
    fn settle(
        &mut self,
        batch: &[Sample],
        receipt: &Receipt,
        took: Duration,
        stats: &Stats,
    ) -> Result<(), Duration> {
        self.waiting.drain(..batch.len());
        let errors: HashMap<_, _> = receipt.errors.iter().map(|it| (it.index, it)).collect();
        let (mut kept, mut refused) = (0, 0);
        for (index, sample) in batch.iter().enumerate().rev() {
            match errors.get(&index) {
                None => self.ledger.note(sample),
                Some(error) if error.retryable => {
                    stats.failed(&error.code);
                    self.waiting.push_front(*sample);
                    kept += 1;
                }
                Some(error) => {
                    stats.failed(&error.code);
                    refused += 1;
                }
            }
        }
        let acknowledged = batch.len() - kept - refused;
        stats.answered(receipt, took, acknowledged, refused);
        if kept > 0 { Err(NOT_YET) } else { Ok(()) }
    }

    /// A flaky device now and then does not wait for the answer, and posts the same again.
    fn loses_patience(&self) -> Option<Duration> {
        let chance = self.gauge.chance(21, self.posts);
        let loses = self.gauge.profile == Profile::Flaky && chance.is_multiple_of(6);
        loses.then(|| Duration::from_micros(chance / 6 % 5_000))
    }

    /// A flaky device now and then posts what was acknowledged once more.
    fn posts_again(&self) -> bool {
        let chance = self.gauge.chance(22, self.posts);
        self.gauge.profile == Profile::Flaky && chance.is_multiple_of(4)
    }

    async fn again(&self, post: &Post, lines: &Bytes, count: u64) {
        let started = Instant::now();
        if let Posted::Taken(receipt) = post.api.post_readings(&self.key, lines, count).await {
            post.stats.answered(&receipt, started.elapsed(), 0, 0);
        }
    }
}

/// Readings as lines of JSON; none if there are none.
fn lines(batch: &[Sample]) -> Option<Bytes> {
    let mut lines = String::with_capacity(batch.len() * 80);
    for sample in batch {
        let time = sample
            .recorded_at
            .to_rfc3339_opts(SecondsFormat::AutoSi, true);
        writeln!(
            lines,
            r#"{{"metric":"{}","value":{},"recorded_at":"{time}"}}"#,
            sample.metric, sample.value
        )
        .ok()?;
    }
    (!lines.is_empty()).then(|| lines.into())
}

fn code_of(failure: &crate::Failure) -> String {
    match failure {
        crate::Failure::Refused { code, .. } => code.clone(),
        crate::Failure::Unreachable { .. }
        | crate::Failure::NotReadout { .. }
        | crate::Failure::File { .. }
        | crate::Failure::Other(_) => "unexpected answer".to_owned(),
    }
}
