//! A question for rollups, and the answer by plain SQL over samples, which knows nothing of kept hours.

use crate::story::{DEVICES, METRICS};
use chrono::{SecondsFormat, TimeDelta};
use domain::{
    Timestamp,
    device::DeviceId,
    reading::Metric,
    rollup::{
        Aggregates, BucketLimit, Fill, Interval, OpenRange, Resolution, RollupQuery, RollupWindows,
        Zone,
    },
};
use proptest::{prelude::*, sample::select};

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Australia/Lord_Howe",
];

const INTERVALS: [&str; 7] = ["15m", "1h", "90m", "6h", "1d", "1w", "1mo"];

/// Those of which a range of years has few enough.
const LONG_INTERVALS: [&str; 3] = ["1d", "1w", "1mo"];

const AGGREGATES: [&str; 3] = [
    "avg,sum,min,max,first,last,stddev",
    "sum,last",
    "avg,min,max,sum,first,last,stddev,median,p1,p33,p95",
];

#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) instance: usize,
    /// Which of the devices that there are.
    pub(crate) devices: Vec<usize>,
    /// Whether one that was deleted is among them.
    pub(crate) deleted_too: bool,
    metrics: usize,
    combine: bool,
    interval: &'static str,
    zone: &'static str,
    aggregates: &'static str,
    range: Range,
}

/// From so many years before the story begins and so many microseconds after that, so many microseconds long.
#[derive(Debug, Clone, Copy)]
struct Range {
    years: i64,
    after: i64,
    length: i64,
}

impl Range {
    fn any() -> impl Strategy<Value = (&'static str, Self)> {
        // Often at a full hour, at half past or one microsecond beside it.
        let cut = select(vec![0, 0, 0, 1_800_000_000, 1, -1, 1_234_567_890]);
        let instant = move |hours: std::ops::Range<i64>| {
            (hours, cut.clone()).prop_map(|(hours, cut)| hours * 3_600_000_000 + cut)
        };
        let short = (
            select(&INTERVALS[..]),
            prop_oneof![3 => Just(0_i64), 1 => select(vec![1, 6, 11])],
            instant(-70..60),
            instant(1..200),
        );
        let long = (
            select(&LONG_INTERVALS[..]),
            Just(12_i64),
            instant(0..48),
            Just(4_400_i64 * 86_400_000_000),
        );
        prop_oneof![4 => short.boxed(), 1 => long.boxed()].prop_map(
            |(interval, years, after, length)| {
                (
                    interval,
                    Self {
                        years,
                        after,
                        length,
                    },
                )
            },
        )
    }

    fn at(self, begin: Timestamp) -> (Timestamp, Timestamp) {
        // At a full hour, so that what is after it decides.
        let hour = begin.timestamp().div_euclid(3_600) * 3_600;
        let begin = Timestamp::from_timestamp(hour, 0).unwrap() - TimeDelta::days(365 * self.years);
        let start = begin + TimeDelta::microseconds(self.after);
        (start, start + TimeDelta::microseconds(self.length))
    }
}

impl Question {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let devices = prop::sample::subsequence((0..DEVICES).collect::<Vec<_>>(), 1..=DEVICES);
        (
            (0..2_usize, devices, prop::bool::weighted(0.1)),
            (1..=METRICS.len(), any::<bool>()),
            (select(&ZONES[..]), select(&AGGREGATES[..]), Range::any()),
        )
            .prop_map(
                |((instance, devices, deleted_too), (metrics, combine), what)| {
                    let (zone, aggregates, (interval, range)) = what;
                    Self {
                        instance,
                        devices,
                        deleted_too,
                        metrics,
                        combine,
                        interval,
                        zone,
                        aggregates,
                        range,
                    }
                },
            )
    }

    pub(crate) fn query(&self, begin: Timestamp, now: Timestamp) -> RollupQuery {
        let (start, end) = self.range.at(begin);
        let range = OpenRange {
            start: Some(start),
            end: Some(end),
        };
        let resolution = Resolution::Every(Interval::parse(self.interval).unwrap());
        let zone = Zone::parse(self.zone).unwrap();
        let metrics = METRICS.iter().take(self.metrics);
        RollupQuery {
            metrics: metrics.map(|it| Metric::parse(it).unwrap()).collect(),
            windows: RollupWindows::new(range, resolution, zone, 1, BucketLimit::default(), now)
                .unwrap(),
            aggregates: Aggregates::try_from(self.aggregates.to_owned()).unwrap(),
            fill: Fill::None,
            completeness: false,
            combine: self.combine,
        }
    }

    /// What it asks for.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &'static str> {
        self.aggregates.split(',')
    }

    /// Whether some of its windows may be told from hours.
    pub(crate) fn may_use_hours(&self) -> bool {
        self.interval != "15m" && !self.aggregates.contains("median")
    }

    /// The samples that the question is about.
    fn samples(&self, devices: &[DeviceId], begin: Timestamp) -> String {
        let (start, end) = self.range.at(begin);
        format!(
            "samples join series on series.id = samples.series_id \
             where device_id in ({devices}) and metric in ({metrics}) \
             and recorded_at >= '{start}' and recorded_at < '{end}'",
            devices = list(devices.iter().map(ToString::to_string)),
            metrics = list(METRICS.iter().take(self.metrics).map(ToString::to_string)),
            start = literal(start),
            end = literal(end),
        )
    }

    /// Device, metric and begin of each window with samples; its end, their number, and the aggregates.
    pub(crate) fn plain(&self, devices: &[DeviceId], begin: Timestamp) -> String {
        let device = if self.combine {
            "''"
        } else {
            "device_id::text"
        };
        let (window_begin, window_end) = self.window(begin);
        let aggregates: Vec<String> = self.aggregates.split(',').map(aggregate).collect();
        format!(
            "with sample as (select {device} as device, metric, series_id, recorded_at, value, \
                                    {window_begin} as window_begin, {window_end} as window_end from {samples}), \
             ranked as (select *, count(*) over (partition by device, metric, window_begin) as n, \
                               row_number() over (partition by device, metric, window_begin order by value) as rank \
                        from sample) \
             select concat(device, ' ', metric, ' ', {from}) as place, \
                    array_to_string(array[{to}, count(*)::text, {aggregates}], ' ', 'none') as values \
             from ranked group by device, metric, window_begin, window_end",
            samples = self.samples(devices, begin),
            from = micros("window_begin"),
            to = micros("window_end"),
            aggregates = aggregates.join(", "),
        )
    }

    /// How many hours are kept, trusted and not marked of what the question is about, and how many are marked.
    pub(crate) fn kept(&self, devices: &[DeviceId], begin: Timestamp) -> String {
        let (start, end) = self.range.at(begin);
        let of = |table: &str| {
            format!(
                "select series_id, hour from {table} join series on series.id = series_id \
                 where device_id in ({devices}) and to_timestamp(hour * 3600.0) >= '{start}' \
                 and to_timestamp(hour * 3600.0 + 3600.0) <= '{end}'",
                devices = list(devices.iter().map(ToString::to_string)),
                start = literal(start),
                end = literal(end),
            )
        };
        format!(
            "select (select count(*) from ({hours} and hour < (select closed_hour from rollup_horizon) \
                                          except {marks}) as it) as kept, \
                    (select count(*) from ({marks}) as it) as marked",
            hours = of("series_hours"),
            marks = of("stale_hours"),
        )
    }

    /// Begin and end of the window that a sample lies in, as `PostgreSQL` has them.
    fn window(&self, begin: Timestamp) -> (String, String) {
        let (start, zone) = (literal(self.range.at(begin).0), self.zone);
        let local = |unit: &str| {
            let midnight = format!("date_trunc('{unit}', recorded_at at time zone '{zone}')");
            (
                format!("({midnight} at time zone '{zone}')"),
                format!("(({midnight} + interval '1 {unit}') at time zone '{zone}')"),
            )
        };
        let fixed = |width: &str| {
            // Counted from 2000 by the clock that is valid at the start.
            let ahead = format!(
                "(timestamptz '{start}' at time zone '{zone}' - timestamptz '{start}' at time zone 'UTC')"
            );
            let window = format!(
                "date_bin('{width}', recorded_at, timestamptz '2000-01-01T00:00:00Z' - {ahead})"
            );
            (window.clone(), format!("({window} + interval '{width}')"))
        };
        match self.interval {
            "1d" => local("day"),
            "1w" => local("week"),
            "1mo" => local("month"),
            "15m" => fixed("15 minutes"),
            "1h" => fixed("1 hour"),
            "90m" => fixed("90 minutes"),
            "6h" => fixed("6 hours"),
            other => panic!("no plain window for {other}"),
        }
    }
}

fn aggregate(name: &str) -> String {
    let percent = if name == "median" {
        Some("50")
    } else {
        name.strip_prefix('p')
    };
    if let Some(percent) = percent {
        let place = format!("(n - 1) * {percent}");
        let value = |rank: &str| format!("max(value) filter (where rank = {rank})");
        let low = value(&format!("1 + {place} / 100"));
        let high = value(&format!("least(n, 2 + {place} / 100)"));
        return format!(
            "({low} + ({high} - {low}) * ((max(n) - 1) * {percent} % 100) * 0.01)::text"
        );
    }
    let plain = match name {
        // Of two devices at the same moment, the series that was there first.
        "first" => "(array_agg(value order by recorded_at, series_id))[1]",
        "last" => "(array_agg(value order by recorded_at desc, series_id))[1]",
        "stddev" => "stddev_samp(value)",
        name => return format!("{name}(value)::text"),
    };
    format!("({plain})::text")
}

fn micros(column: &str) -> String {
    format!("(extract(epoch from {column}) * 1000000)::bigint::text")
}

fn list(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.map(|it| format!("'{it}'")).collect();
    texts.join(", ")
}

fn literal(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
