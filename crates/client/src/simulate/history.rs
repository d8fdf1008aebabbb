//! The history of the fleet, posted before anything new is measured.

use super::device::{BATCH, Device, Post};
use crate::{progress::Progress, stop::Stop};
use chrono::TimeDelta;
use domain::Timestamp;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Which history to post.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// Its end, which does not belong to it.
    pub(super) end: Timestamp,
    pub(super) length: Duration,
    pub(super) interval: Duration,
    /// So many times as fast as it was measured; as fast as it is taken if there is none.
    pub(super) speed: Option<u32>,
}

impl History {
    /// How many measurements each device has made.
    pub(super) fn ticks(&self) -> u64 {
        u64::try_from(self.length.as_micros() / self.interval.as_micros().max(1))
            .unwrap_or_default()
    }

    /// When a measurement was made.
    fn at(&self, tick: u64) -> Option<Timestamp> {
        let before = self.ticks().checked_sub(tick)?;
        let before = u32::try_from(before).ok().map(|it| self.interval * it)?;
        self.end
            .checked_sub_signed(TimeDelta::from_std(before).ok()?)
    }

    /// When it is to be posted, after the start of the replay.
    fn due(&self, tick: u64) -> Duration {
        let Some(speed) = self.speed else {
            return Duration::ZERO;
        };
        let ticks = u32::try_from(tick).unwrap_or(u32::MAX);
        self.interval.saturating_mul(ticks) / speed
    }
}

/// Posts the history of all devices, which come back with what could not be posted before someone asked to stop.
pub(super) async fn replay(
    fleet: Vec<Device>,
    history: &History,
    post: &Post,
    stop: &Stop,
) -> Vec<Device> {
    let devices = u64::try_from(fleet.len()).unwrap_or_default();
    let progress = Progress::count("History", history.ticks() * devices);
    let mut tasks = JoinSet::new();
    let history = Arc::new(history.clone());
    for device in fleet {
        let (history, post) = (Arc::clone(&history), post.clone());
        let (progress, stop) = (progress.clone(), stop.clone());
        tasks.spawn(async move { one(device, &history, &post, &progress, &stop).await });
    }
    let mut fleet = tasks.join_all().await;
    fleet.sort_by_key(|device| device.number);
    progress.end();
    fleet
}

async fn one(
    mut device: Device,
    history: &History,
    post: &Post,
    progress: &Progress,
    stop: &Stop,
) -> Device {
    let (started, ticks, mut tick) = (Instant::now(), history.ticks(), 0);
    while tick < ticks && !stop.is_asked() {
        let begun = tick;
        while tick < ticks && device.waiting.len() < BATCH && history.due(tick) <= started.elapsed()
        {
            if let Some(at) = history.at(tick) {
                device.take(device.gauge.measure(tick, at), &post.stats);
            }
            tick += 1;
        }
        if tick == begun {
            // Nothing is due yet.
            let pause = history.due(tick).saturating_sub(started.elapsed());
            stop.sleep(pause.max(Duration::from_millis(20))).await;
        }
        while !device.waiting.is_empty() && !stop.is_asked() {
            if let Err(pause) = device.deliver(post).await {
                stop.sleep(pause).await;
            }
            progress.tell(post.stats.line());
        }
        progress.add(tick - begun);
    }
    device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_ends_where_the_present_begins() {
        let history = History {
            end: "2026-01-08T00:00:00Z".parse().unwrap(),
            length: Duration::from_hours(24),
            interval: Duration::from_mins(1),
            speed: Some(60),
        };
        assert_eq!(history.ticks(), 1_440);
        assert_eq!(history.at(0), "2026-01-07T00:00:00Z".parse().ok());
        assert_eq!(history.at(1_439), "2026-01-07T23:59:00Z".parse().ok());
        assert_eq!(history.due(60), Duration::from_mins(1));
    }
}
