//! Work that goes on in the background, each kind at its own pace.

use crate::mail::Outbox;
use http::{Clock, RateLimits, SigningKeys, SigningKeysError};
use metrics_exporter_prometheus::PrometheusHandle;
use persistence::{
    Db, StoreError, alert, device, idempotency, ingest::IngestCount, partition,
    rejection::Rejections, rollup, session, throttle, user,
};
use std::time::{Duration, Instant};
use tokio::{sync::watch, task::JoinSet};

/// How often partitions are looked after.
const PARTITION_EVERY: Duration = Duration::from_hours(1);

/// How often sessions that have ended are removed.
const SESSION_EVERY: Duration = Duration::from_hours(1);

/// How often answers that were kept for a day are erased.
const ANSWER_EVERY: Duration = Duration::from_mins(1);

/// How often limits are erased that make no difference any more.
const THROTTLE_EVERY: Duration = Duration::from_secs(10);

/// How often deleted devices are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(5);

/// The pause between two steps of removing one, so that requests get their turn.
const PURGE_PAUSE: Duration = Duration::from_millis(50);

/// How often devices and rules are looked for that have heard nothing for too long.
const SILENCE_EVERY: Duration = Duration::from_secs(1);

/// How often hours that are to be summed up are looked for.
const ROLLUP_EVERY: Duration = Duration::from_secs(1);

/// How many times as long as a step of summing up took the next one is waited for, while readings come in
/// and while few do: hours that are not summed up yet only cost those who ask.
const ROLLUP_SHARE: u32 = 20;
const ROLLUP_SHARE_AT_REST: u32 = 2;

/// Readings a second below which ingest is at rest.
const AT_REST: u64 = 500;

/// How often what devices were refused is written down.
const REJECTION_EVERY: Duration = Duration::from_secs(1);

/// How often figures are gathered into their buckets.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// How often signing keys are read again, so that this instance knows those that others have made.
const SIGNING_KEY_EVERY: Duration = Duration::from_secs(10);

/// How soon, where they were never read.
const SIGNING_KEY_SOON: Duration = Duration::from_secs(1);

/// How soon a kind of work that failed is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// The background workers. They are stopped between two pieces of work, never within one.
#[derive(Debug)]
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts them all; hours are summed up where there is an ingest to do it beside.
    pub(crate) fn start(
        db: &Db,
        metrics: PrometheusHandle,
        rejections: &Rejections,
        rate_limits: RateLimits,
        ingest: Option<IngestCount>,
        outbox: Outbox,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let clock = Clock;
        let each = |db: &Db| (db.clone(), stopped.clone());

        let (own, stopping) = each(db);
        tasks.spawn_local(repeat("partition", stopping, async move || {
            let more = partition::ensure_ahead(&own, clock.now()).await?;
            Ok(if more { PURGE_EVERY } else { PARTITION_EVERY })
        }));
        let (own, stopping) = each(db);
        tasks.spawn_local(repeat("session", stopping, async move || {
            let removed = session::delete_ended(&own, clock.now()).await?;
            Ok(pause(removed > 0, SESSION_EVERY))
        }));
        let (own, stopping) = each(db);
        tasks.spawn_local(repeat("idempotency", stopping, async move || {
            let removed = idempotency::delete_expired(&own, clock.now()).await?;
            Ok(pause(removed > 0, ANSWER_EVERY))
        }));
        let (own, stopping) = each(db);
        tasks.spawn_local(repeat("purge", stopping, async move || {
            let more = purge(&own).await?;
            Ok(pause(more, PURGE_EVERY))
        }));
        let (own, stopping) = each(db);
        tasks.spawn_local(repeat("offline", stopping, async move || {
            let more = device::find_offline(&own, clock.now()).await?;
            Ok(pause(more, SILENCE_EVERY))
        }));
        let (own, stopping) = each(db);
        tasks.spawn_local(repeat("silence", stopping, async move || {
            let more = alert::find_silent(&own, clock.now()).await?;
            Ok(pause(more, SILENCE_EVERY))
        }));
        if let Some(ingest) = ingest {
            let (own, stopping) = each(db);
            let (mut pace, mut summing) = (Pace::new(ingest), rollup::Summing::default());
            tasks.spawn_local(repeat("rollup", stopping, async move || {
                let started = Instant::now();
                let is_done = rollup::step(&own, clock.now(), &mut summing).await? == 0;
                let pause = pace.after(started);
                Ok(if is_done { ROLLUP_EVERY } else { pause })
            }));
        }
        let (own, stopping) = each(db);
        let rejections = rejections.clone();
        tasks.spawn_local(repeat("rejection", stopping, async move || {
            rejections.flush(&own).await?;
            Ok(REJECTION_EVERY)
        }));
        start_throttle(&mut tasks, &stopped, db);
        start_mail(&mut tasks, &stopped, outbox);
        let stopping = stopped.clone();
        tasks.spawn_local(repeat("metrics", stopping, async move || {
            // Without it what is recorded piles up until someone asks for it.
            metrics.run_upkeep();
            rate_limits.forget_full();
            Ok(METRICS_EVERY)
        }));
        Self { stop, tasks }
    }

    /// Has signing keys read again and again.
    pub(crate) fn and_refresh(mut self, keys: SigningKeys) -> Self {
        let stopping = self.stop.subscribe();
        self.tasks
            .spawn_local(repeat("signing_key", stopping, async move || {
                match keys.refresh(Clock.now()).await {
                    Ok(()) => Ok(SIGNING_KEY_EVERY),
                    // The start has told.
                    Err(SigningKeysError::Store(_)) if !keys.are_known() => Ok(SIGNING_KEY_SOON),
                    Err(SigningKeysError::Store(error)) => Err(error),
                    Err(error) => {
                        tracing::error!(%error, "signing keys not read");
                        Ok(SIGNING_KEY_EVERY)
                    }
                }
            }));
        self
    }

    /// Waits until one of them ends, which none does by itself.
    pub(crate) async fn died(&mut self) {
        self.tasks.join_next().await;
    }

    /// Lets each finish what it is at.
    pub(crate) async fn stop(mut self) {
        // Fails only where all of them have ended.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Takes a step of removing what was deleted, and answers whether there is more.
async fn purge(db: &Db) -> Result<bool, StoreError> {
    if user::retire(db, Clock.now()).await? {
        return Ok(true);
    }
    if device::purge(db).await? {
        return Ok(true);
    }
    user::purge(db).await.map(|()| false)
}

/// How long to wait after a step of removing or looking for something.
fn pause(more: bool, otherwise: Duration) -> Duration {
    if more { PURGE_PAUSE } else { otherwise }
}

fn start_throttle(tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>, db: &Db) {
    let own = db.clone();
    tasks.spawn_local(repeat("throttle", stopped.clone(), async move || {
        let removed = throttle::delete_full(&own, Clock.now()).await?;
        Ok(pause(removed > 0, THROTTLE_EVERY))
    }));
}

/// Mail is sent by one task and looked after by others, so that a flood does not wait for a slow server.
fn start_mail(tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>, outbox: Outbox) {
    if outbox.sends() {
        let own = outbox.clone();
        tasks.spawn_local(repeat("mail", stopped.clone(), async move || {
            own.send().await
        }));
    }
    let own = outbox.clone();
    tasks.spawn_local(repeat("mail sweep", stopped.clone(), async move || {
        own.sweep().await
    }));
    tasks.spawn_local(repeat("verification", stopped.clone(), async move || {
        outbox.forget().await
    }));
}

/// How fast hours are summed up beside ingest.
struct Pace {
    ingest: IngestCount,
    before: (Instant, u64),
}

impl Pace {
    fn new(ingest: IngestCount) -> Self {
        let before = (Instant::now(), ingest.get());
        Self { ingest, before }
    }

    /// How long to wait after a step that was begun at this moment.
    fn after(&mut self, started: Instant) -> Duration {
        let (now, count) = (Instant::now(), self.ingest.get());
        let (then, counted) = std::mem::replace(&mut self.before, (now, count));
        now.duration_since(started) * share(count - counted, now.duration_since(then))
    }
}

/// How many times as long to wait as a step took, where so many readings came in within this time.
fn share(readings: u64, time: Duration) -> u32 {
    if u128::from(readings) * 1_000 < u128::from(AT_REST) * time.as_millis() {
        ROLLUP_SHARE_AT_REST
    } else {
        ROLLUP_SHARE
    }
}

/// Does a piece of work, waits as long as it says, and so on. A failure is logged and tried again.
async fn repeat(
    name: &'static str,
    mut stopping: watch::Receiver<bool>,
    mut work: impl AsyncFnMut() -> Result<Duration, StoreError>,
) {
    while !*stopping.borrow() {
        let pause = work().await.unwrap_or_else(|error| {
            tracing::warn!(
                worker = name,
                error = &error as &dyn std::error::Error,
                "background work failed"
            );
            RETRY
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_summed_up_faster_while_few_readings_come_in() {
        let second = Duration::from_secs(1);
        assert_eq!(share(0, second), ROLLUP_SHARE_AT_REST);
        assert_eq!(share(499, second), ROLLUP_SHARE_AT_REST);
        assert_eq!(share(500, second), ROLLUP_SHARE);
        assert_eq!(share(u64::MAX, second), ROLLUP_SHARE);
        assert_eq!(share(0, Duration::ZERO), ROLLUP_SHARE);
    }
}
