//! `readout export`: the readings of devices, as one file or stream of lines.

mod line;
mod options;
mod output;

pub use options::Options;

use crate::{
    Ended,
    api::{Account, Api, Lines, Next, Opened, query},
    backoff::Backoff,
    failure::Failure,
    progress::{Progress, grouped},
    service::Credentials,
    stop::Stop,
};
use chrono::SecondsFormat;
use domain::{Timestamp, device::DeviceId};
use line::{Line, Place};
use output::{Output, Unread};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// How long a stream may stand still, with all attempts to go on.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Deserialize)]
struct Listed {
    id: DeviceId,
    name: String,
}

/// Exports what was asked for, or the rest of it.
pub(crate) async fn run(options: Options) -> Result<Ended, Failure> {
    let stop = Stop::listen()?;
    let credentials = Credentials::read()?.ok_or_else(|| {
        Failure::other(
            "whose readings? Set READOUT_TOKEN, READOUT_API_KEY, or READOUT_EMAIL and READOUT_PASSWORD",
        )
    })?;
    let api = Api::connect(options.service.url.clone()).await?;
    let account = Account::open(&api, credentials).await?;
    let devices = devices(&account, &options).await?;
    let (output, place) = Output::open(&options)?;
    if let Some(place) = &place {
        eprintln!(
            "Going on after {} of device {}.",
            place.recorded_at, place.device
        );
    }
    let mut export = Export {
        account: &account,
        options: &options,
        progress: Progress::open("Exporting"),
        stop: &stop,
        output,
        place,
        count: 0,
    };
    let ended = export.all(&devices).await;
    export.progress.end();
    if export.place.is_none() && !matches!(ended, Ok(Ended::Well)) {
        export.output.discard();
        return ended;
    }
    let ended = ended?;
    match ended {
        Ended::Well => {
            export.output.complete()?;
            eprintln!(
                "{} readings of {} devices.",
                grouped(export.count),
                devices.len()
            );
        }
        Ended::Stopped => {
            eprintln!("Stopped. The same command goes on from here, unless it writes to a pipe.");
        }
        Ended::InPart | Ended::Unread => {}
    }
    Ok(ended)
}

/// The devices to export, in the order of their ids, which is that of their provisioning.
async fn devices(account: &Account, options: &Options) -> Result<Vec<DeviceId>, Failure> {
    let ids: Vec<Option<DeviceId>> = options.device.iter().map(|it| it.parse().ok()).collect();
    let ids: Option<Vec<DeviceId>> = ids.into_iter().collect();
    let mut devices = match ids {
        Some(ids) if !ids.is_empty() => ids,
        Some(_) | None => {
            let tags: Vec<_> = options
                .tag
                .iter()
                .map(|tag| ("tag", tag.as_str()))
                .collect();
            let listed: Vec<Listed> = account.all(&format!("/devices?{}", query(&tags))).await?;
            chosen(&listed, &options.device)?
        }
    };
    devices.sort_unstable();
    devices.dedup();
    Ok(devices)
}

/// Those of the devices that are named; all of them if none is.
fn chosen(listed: &[Listed], names: &[String]) -> Result<Vec<DeviceId>, Failure> {
    if names.is_empty() {
        return Ok(listed.iter().map(|device| device.id).collect());
    }
    let one = |name: &String| {
        let is_meant = |device: &&Listed| device.name == *name || device.id.to_string() == *name;
        let mut meant = listed.iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(device), None) => Ok(device.id),
            (None, _) => Err(Failure::other(format!("you have no device {name:?}"))),
            (Some(_), Some(_)) => Err(Failure::other(format!(
                "you have several devices that are called {name:?}: name one by its id"
            ))),
        }
    };
    names.iter().map(one).collect()
}

/// An export under way.
#[derive(Debug)]
struct Export<'a> {
    account: &'a Account,
    options: &'a Options,
    progress: Progress,
    stop: &'a Stop,
    output: Output,
    place: Option<Place>,
    count: u64,
}

impl Export<'_> {
    /// One device after another, from the place on.
    async fn all(&mut self, devices: &[DeviceId]) -> Result<Ended, Failure> {
        let reached = self.place.as_ref().map(|place| place.device);
        let left = devices
            .iter()
            .filter(|device| reached.is_none_or(|it| **device >= it));
        for device in left {
            match self.device(*device).await? {
                Ended::Well => {}
                ended @ (Ended::InPart | Ended::Stopped | Ended::Unread) => return Ok(ended),
            }
        }
        Ok(Ended::Well)
    }

    /// One device, in as many streams as it takes.
    async fn device(&mut self, device: DeviceId) -> Result<Ended, Failure> {
        let (mut backoff, mut moved) = (Backoff::default(), Instant::now());
        loop {
            let before = self.count;
            let retry_after = match self.account.stream(&self.path(device)).await? {
                Opened::Later(after) => after,
                Opened::Lines(mut lines) => match self.stream(device, &mut lines).await? {
                    Some(ended) => return Ok(ended),
                    None => None,
                },
            };
            if self.count > before {
                (moved, backoff) = (Instant::now(), Backoff::default());
            }
            let pause = backoff.failed(retry_after);
            if moved.elapsed() + pause > PATIENCE {
                return Err(Failure::other(
                    "the stream is cut again and again: run the same command again to go on",
                ));
            }
            self.progress
                .tell("the stream was cut, going on".to_owned());
            if !self.stop.sleep(pause).await {
                return Ok(Ended::Stopped);
            }
        }
    }

    /// Writes the lines of a stream; none if it is cut.
    async fn stream(
        &mut self,
        device: DeviceId,
        lines: &mut Lines,
    ) -> Result<Option<Ended>, Failure> {
        // Where the stream begins: what was written before then is in it once more.
        let begin = self.place.clone().filter(|place| place.device == device);
        let mut is_header = true;
        loop {
            let next = tokio::select! {
                next = lines.next() => next?,
                () = self.stop.asked() => return Ok(Some(Ended::Stopped)),
            };
            let text = match next {
                Next::Lines(text) => text,
                Next::End => return Ok(Some(Ended::Well)),
                Next::Cut => return Ok(None),
            };
            let text = String::from_utf8_lossy(&text);
            let mut written = String::with_capacity(text.len() * 2);
            for text in text.lines() {
                if std::mem::take(&mut is_header) {
                    continue;
                }
                let garbled = || {
                    Failure::other(format!(
                        "the service sent a line that is no reading: {text}"
                    ))
                };
                let line = Line::read(text).ok_or_else(garbled)?;
                if begin.as_ref().is_some_and(|begin| begin.knows(&line)) {
                    continue;
                }
                if !line.write(&mut written, device, self.options.format()) {
                    return Err(garbled());
                }
                Place::after(&mut self.place, device, &line);
                self.count += 1;
            }
            if let Err(Unread) = self.output.write(&written)? {
                return Ok(Some(Ended::Unread));
            }
            self.progress
                .tell(format!("{} readings", grouped(self.count)));
        }
    }

    /// The question for what is left of a device.
    fn path(&self, device: DeviceId) -> String {
        let place = self.place.as_ref().filter(|place| place.device == device);
        let time = |at: Timestamp| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let start = match place {
            Some(place) => Some(place.recorded_at.clone()),
            None => self.options.start.map(time),
        };
        let end = self.options.end.map(time);
        let mut pairs: Vec<_> = self
            .options
            .metric
            .iter()
            .map(|it| ("metric", it.as_str()))
            .collect();
        pairs.extend(start.as_deref().map(|start| ("start", start)));
        pairs.extend(end.as_deref().map(|end| ("end", end)));
        format!("/devices/{device}/readings?{}", query(&pairs))
    }
}
