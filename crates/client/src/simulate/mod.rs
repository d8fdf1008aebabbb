//! `readout simulate`: a fleet of virtual devices.

mod device;
mod fleet;
mod history;
mod ledger;
mod live;
mod options;
mod profile;
mod rule;
mod stats;
mod user;
mod verify;
mod wave;

pub use options::Options;

use crate::{
    Ended,
    api::{Account, Api},
    clock,
    failure::Failure,
    progress::{Progress, grouped},
    secret,
    stop::Stop,
};
use device::{Device, Post};
use history::History;
use live::Present;
use rule::Watch;
use stats::Stats;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::sleep};

/// How often figures are shown and alerts are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Provisions a fleet, has it post, and sums up.
pub(crate) async fn run(options: Options) -> Result<Ended, Failure> {
    let profiles: Vec<_> = (0..options.devices).map(|it| options.profile(it)).collect();
    let rule = options
        .rule()
        .map(|rule| Ok((rule.culprit(&profiles)?, rule)));
    let culprit = rule.transpose()?;
    let stop = Stop::listen()?;
    let api = Api::connect(options.service.url.clone()).await?;
    let account = user::open(&api, &options).await?;
    let tag = format!("sim-{}", secret::random(3)?);
    let fleet = fleet::provision(&account, &options, &tag, &stop).await?;
    println!("Provisioned {} devices, tagged fleet:{tag}.", fleet.len());

    let post = Post {
        api,
        stats: Arc::new(Stats::new()),
        turns: Arc::new(Semaphore::new(options.parallel.into())),
    };
    let fleet = backfill(fleet, &options, &post, &stop).await;
    let mut watch = None;
    if let (Some((number, rule)), false) = (&culprit, stop.is_asked()) {
        watch = Some(Watch::arm(&account, rule, &tag, &fleet).await?);
        let name = fleet.iter().find(|device| device.number == *number);
        let name = name.map_or("a device", |device| device.name.as_str());
        println!(
            "Armed a rule on the fleet: {}. {name} is going to breach it.",
            rule.words()
        );
    }
    let ticks = options.duration.map(|duration| {
        let ticks = duration.as_micros() / options.interval().as_micros().max(1);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    });
    let present = Present {
        start: (clock::now(), Instant::now()),
        interval: options.interval(),
        ticks,
        rule: culprit.map(|(number, rule)| (rule, number)),
        drain: options.drain,
    };
    let fleet = present_with(fleet, present, &account, watch.as_mut(), (&post, &stop)).await?;
    sum_up(&fleet, &options, &account, watch.as_ref(), &post.stats).await
}

/// Posts the history, if there is to be one.
async fn backfill(fleet: Vec<Device>, options: &Options, post: &Post, stop: &Stop) -> Vec<Device> {
    let Some(length) = options.backfill() else {
        return fleet;
    };
    let history = History {
        end: clock::now(),
        length,
        interval: options.backfill_interval,
        speed: options.speed,
    };
    let started = Instant::now();
    let fleet = history::replay(fleet, &history, post, stop).await;
    let (posted, took) = (
        post.stats.figures().acknowledged,
        started.elapsed().as_secs_f64(),
    );
    println!(
        "Posted a history of {} readings in {took:.1} s.",
        grouped(posted)
    );
    fleet
}

/// Has the fleet post, and tells meanwhile what goes on.
async fn present_with(
    fleet: Vec<Device>,
    present: Present,
    account: &Account,
    mut watch: Option<&mut Watch>,
    (post, stop): (&Post, &Stop),
) -> Result<Vec<Device>, Failure> {
    let progress = Progress::open("Posting");
    let going = live::go(fleet, present, post, stop);
    tokio::pin!(going);
    let mut asked = false;
    let fleet = loop {
        tokio::select! {
            fleet = &mut going => break fleet,
            () = sleep(LOOK_EVERY) => {}
            () = stop.asked(), if !asked => {
                asked = true;
                progress.say("Stopping: posting what waits; Ctrl-C again ends at once.");
                continue;
            }
        }
        progress.tell(post.stats.line());
        if let Some(watch) = &mut watch {
            // The service may be away for a while; the last look is the one that counts.
            let _ = watch.look(account, &progress).await;
        }
    };
    if let Some(watch) = watch {
        watch.look(account, &progress).await?;
    }
    progress.end();
    Ok(fleet)
}

/// Says what it came to.
async fn sum_up(
    fleet: &[Device],
    options: &Options,
    account: &Account,
    watch: Option<&Watch>,
    stats: &Stats,
) -> Result<Ended, Failure> {
    let figures = stats.figures();
    let row = |name: &str, what: &str| println!("{name:<18}{what}");
    println!();
    row(
        "measured",
        &format!(
            "{} readings of {} devices",
            grouped(figures.measured),
            fleet.len()
        ),
    );
    row("acknowledged", &grouped(figures.acknowledged));
    row("not acknowledged", &grouped(figures.unacknowledged()));
    row("refused", &grouped(figures.refused));
    row(
        "duplicates",
        &format!("{} posted again, stored once", grouped(figures.duplicates)),
    );
    if figures.late > 0 {
        row(
            "late",
            &format!("{} too old for alert rules", grouped(figures.late)),
        );
    }
    if figures.missed > 0 {
        row(
            "not measured",
            &format!("{}, since too much waited", grouped(figures.missed)),
        );
    }
    row("speed", &figures.speed());
    if !figures.errors.is_empty() {
        row("failed posts", &figures.failures());
    }
    let mut is_well = figures.unacknowledged() == 0 && figures.refused == 0;
    if let Some(watch) = watch {
        let (fired, resolved) = watch.counts();
        row("alerts", &format!("{fired} fired, {resolved} resolved"));
    }
    if options.verify {
        let (stored, differing) = verify::compare(account, fleet).await?;
        is_well &= differing.is_empty();
        let verdict = if differing.is_empty() {
            "the same as acknowledged"
        } else {
            "NOT what was acknowledged"
        };
        row("stored", &format!("{}, {verdict}", grouped(stored)));
        for sentence in &differing {
            println!("  {sentence}");
        }
    }
    Ok(if is_well { Ended::Well } else { Ended::InPart })
}
