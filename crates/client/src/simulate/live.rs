//! The present: every device measures at its interval and posts what it has measured.

use super::{
    device::{Device, Post},
    profile::Profile,
    rule::RuleOption,
};
use crate::stop::Stop;
use chrono::TimeDelta;
use domain::Timestamp;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// How the present goes on.
#[derive(Debug, Clone)]
pub(super) struct Present {
    /// The time of the first measurement, by the clock on the wall and by one that is never set.
    pub(super) start: (Timestamp, Instant),
    pub(super) interval: Duration,
    /// How many measurements there are to be; without an end if nobody has said.
    pub(super) ticks: Option<u64>,
    /// The rule, and the number of the device that breaches it.
    pub(super) rule: Option<(RuleOption, u32)>,
    /// How long to go on posting afterwards.
    pub(super) drain: Duration,
}

impl Present {
    /// When a measurement is made.
    fn due(&self, tick: u64) -> Option<(Timestamp, Instant)> {
        let after = self.interval.checked_mul(u32::try_from(tick).ok()?)?;
        let (wall, steady) = self.start;
        let at = wall.checked_add_signed(TimeDelta::from_std(after).ok()?)?;
        Some((at, steady.checked_add(after)?))
    }

    /// What is measured, with the rule in mind.
    fn measure(&self, device: &Device, tick: u64, at: Timestamp) -> Vec<super::profile::Sample> {
        let mut samples = device.gauge.measure(tick, at);
        if let Some((rule, culprit)) = &self.rule {
            for sample in &mut samples {
                rule.shape(sample, tick, device.number == *culprit);
            }
        }
        samples
    }
}

/// Lets all devices measure and post until the end, or until someone asks to stop; they come back with what could not be
/// posted.
pub(super) async fn go(
    fleet: Vec<Device>,
    present: Present,
    post: &Post,
    stop: &Stop,
) -> Vec<Device> {
    let mut tasks = JoinSet::new();
    let present = Arc::new(present);
    for device in fleet {
        let (present, post, stop) = (Arc::clone(&present), post.clone(), stop.clone());
        tasks.spawn(async move {
            let device = one(device, &present, &post, &stop).await;
            drain(device, present.drain, &post).await
        });
    }
    let mut fleet = tasks.join_all().await;
    fleet.sort_by_key(|device| device.number);
    fleet
}

async fn one(mut device: Device, present: &Present, post: &Post, stop: &Stop) -> Device {
    let (mut tick, mut not_before) = (0, Instant::now());
    while !stop.is_asked() {
        let now = Instant::now();
        let is_over = |tick| present.ticks.is_some_and(|ticks| tick >= ticks);
        while let Some((at, _)) = present.due(tick).filter(|it| it.1 <= now && !is_over(tick)) {
            device.take(present.measure(&device, tick, at), &post.stats);
            tick += 1;
        }
        if is_over(tick) {
            break;
        }
        let is_ready = !device.waiting.is_empty() && is_posting(&device, tick);
        if is_ready && not_before <= now {
            if let Err(pause) = device.deliver(post).await {
                not_before = Instant::now() + pause;
            }
            continue;
        }
        let Some((_, mut next)) = present.due(tick) else {
            break;
        };
        if is_ready {
            next = next.min(not_before);
        }
        stop.sleep(next.saturating_duration_since(now)).await;
    }
    device
}

/// Whether a device posts what it has, after so many measurements: it may have no connection, or wait for more.
fn is_posting(device: &Device, tick: u64) -> bool {
    let waits = device.gauge.profile == Profile::Flaky && !tick.is_multiple_of(3);
    device.gauge.is_connected(tick) && !waits
}

/// Posts what waits when nothing more is measured.
async fn drain(mut device: Device, patience: Duration, post: &Post) -> Device {
    let started = Instant::now();
    while !device.waiting.is_empty() {
        if let Err(pause) = device.deliver(post).await {
            if started.elapsed() + pause > patience {
                break;
            }
            sleep(pause).await;
        }
    }
    device
}
