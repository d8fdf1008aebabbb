//! The options of `readout simulate`.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use super::{profile::Profile, rule::RuleOption};
use crate::service::{CREDENTIALS, Service};
use clap::{Args, value_parser};
use domain::duration::Duration as Days;
use std::{path::PathBuf, time::Duration};

/// Simulate a fleet of devices that posts to a running Readout
///
/// Provisions devices through the API, posts a history of readings if asked to, then posts new ones as they are
/// measured, until Ctrl-C or --duration. Signs up a demo user unless credentials are given, and says how to look at
/// the data. Nothing that was measured is lost: a reading waits in its device until the service has acknowledged it,
/// through restarts and refusals, and the summary says whether everything measured was acknowledged.
///
/// The fleet is made up: what a device measures follows from --seed, its number and the time alone.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = CREDENTIALS)]
pub struct Options {
    #[command(flatten)]
    pub(super) service: Service,

    /// How many devices
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(super) devices: u32,

    /// Kinds of devices, in turn [default: all of them]
    #[arg(long, value_name = "PROFILE", value_enum, value_delimiter = ',')]
    profile: Vec<Profile>,

    /// Time between two measurements of a device, such as 500ms, 10s or 5m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span)]
    pub(super) interval: Duration,

    /// Readings a second of the whole fleet, in place of --interval
    #[arg(long, value_name = "N", conflicts_with = "interval", value_parser = value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,

    /// Post the history of this time first, such as 7d [default with --demo: 1d]
    #[arg(long, value_name = "TIME", value_parser = Days::parse)]
    backfill: Option<Days>,

    /// Time between two measurements of the history
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = span)]
    pub(super) backfill_interval: Duration,

    /// Replay the history so many times as fast as it was measured [default: as fast as it is taken]
    #[arg(long, value_name = "X", requires = "backfill", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) speed: Option<u32>,

    /// Stop measuring after this time [default: at Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(super) duration: Option<Duration>,

    /// Another fleet for another number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,

    /// Arm a rule on the fleet, such as 'temperature>30', and have the first device that measures it breach it now
    /// and then
    #[arg(long, value_name = "RULE", value_parser = RuleOption::parse)]
    rule: Option<RuleOption>,

    /// Show what there is: a day of history, and an alert that fires and resolves
    #[arg(long)]
    demo: bool,

    /// In the end, compare what is stored with what was acknowledged
    #[arg(long)]
    pub(super) verify: bool,

    /// Write ids, names and keys of the devices to this file, for `readout import --sheet`
    #[arg(long, value_name = "FILE")]
    pub(super) sheet: Option<PathBuf>,

    /// Write READOUT_URL and the user's credentials to this file, for a shell to read: `. ./FILE`
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,

    /// Most requests at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = value_parser!(u16).range(1..=512))]
    pub(super) parallel: u16,

    /// How long to go on posting what waits when measuring has stopped
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span)]
    pub(super) drain: Duration,
}

impl Options {
    /// The kind of a device.
    pub(super) fn profile(&self, number: u32) -> Profile {
        let all = Profile::ALL;
        let kinds = if self.profile.is_empty() {
            &all[..]
        } else {
            &self.profile
        };
        let mut turn = kinds.iter().copied().cycle();
        let number = usize::try_from(number).unwrap_or_default() % kinds.len().max(1);
        turn.nth(number).unwrap_or(Profile::Temperature)
    }

    /// The time between two measurements of a device.
    pub(super) fn interval(&self) -> Duration {
        let Some(rate) = self.rate else {
            return self.interval;
        };
        let metrics: u32 = (0..self.devices)
            .map(|number| u32::try_from(self.profile(number).metrics().len()).unwrap_or(1))
            .sum();
        (Duration::from_secs(metrics.into()) / rate).max(SHORTEST)
    }

    /// How much history to post.
    pub(super) fn backfill(&self) -> Option<Duration> {
        let demo = self.demo.then_some(DEMO_HISTORY);
        let given = self
            .backfill
            .map(|it| Duration::from_secs(it.seconds().into()));
        given.or(demo)
    }

    /// The rule to arm.
    pub(super) fn rule(&self) -> Option<RuleOption> {
        let demo = || self.demo.then(RuleOption::demo);
        self.rule.clone().or_else(demo)
    }
}

const DEMO_HISTORY: Duration = Duration::from_hours(24);

/// The shortest time between two measurements, so that each has a time of its own.
const SHORTEST: Duration = Duration::from_millis(1);

/// Reads `250ms`, or what the rest of Readout takes for a length of time.
fn span(text: &str) -> Result<Duration, String> {
    let millis = text.strip_suffix("ms").map(str::parse::<u32>);
    match millis {
        Some(Ok(millis @ 1..)) => Ok(Duration::from_millis(millis.into())),
        Some(_) => {
            Err("must be a whole number of ms, s, m, h or d, such as 250ms or 10s".to_owned())
        }
        None => Days::parse(text)
            .map(|it| Duration::from_secs(it.seconds().into()))
            .map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Options {
        Line::try_parse_from(line.split(' ')).unwrap().options
    }

    #[test]
    fn a_rate_is_that_of_the_whole_fleet() {
        let options = parse("x --rate 100 --devices 50 --profile temperature");
        assert_eq!(options.interval(), Duration::from_secs(1));
        assert_eq!(
            parse("x --interval 250ms").interval(),
            Duration::from_millis(250)
        );
        assert!(Line::try_parse_from(["x", "--rate", "1", "--interval", "1s"]).is_err());
        assert!(span("0ms").is_err() && span("-1ms").is_err() && span("1.5s").is_err());
    }

    #[test]
    fn profiles_take_turns() {
        let options = parse("x --profile flaky,outage");
        assert_eq!(options.profile(0), Profile::Flaky);
        assert_eq!(options.profile(3), Profile::Outage);
        assert_eq!(parse("x").profile(4), Profile::ALL[4]);
    }

    #[test]
    fn the_demo_has_a_history_and_a_rule() {
        let options = parse("x --demo");
        assert_eq!(options.backfill(), Some(DEMO_HISTORY));
        assert!(options.rule().is_some());
        assert!(parse("x").rule().is_none() && parse("x").backfill().is_none());
    }
}
