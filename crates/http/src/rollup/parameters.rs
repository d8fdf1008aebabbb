//! What to sum up, and how.

use crate::{
    device::Search,
    problem::{FieldError, Problem},
    reading::require_metrics,
};
use domain::{
    Timestamp,
    device::{DeviceId, TagFilter, TagFilters},
    instant::Instant,
    page::PageLimit,
    reading::Metric,
    rollup::{
        Aggregates, BucketLimit, Fill, Interval, IntervalError, OpenRange, Resolution, RollupQuery,
        RollupWindows, Zone,
    },
};
use persistence::{
    Db,
    device::{self, DeviceFilter},
    session::OwnerId,
};
use serde::Deserialize;

/// Most devices of one answer.
const MAX_DEVICES: u32 = 500;

/// How many buckets a series has at most by default, where their interval is chosen.
const DEFAULT_POINTS: u32 = 500;

/// The width of a bucket, or that it is to be chosen.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
enum IntervalParameter {
    Auto,
    Every(Interval),
}

impl TryFrom<String> for IntervalParameter {
    type Error = IntervalError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Interval::parse(&text).map(Self::Every)
    }
}

/// Defines the parameters that all questions for rollups have in common, beside their own.
macro_rules! rollup_parameters {
    ($(#[$meta:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            $($own)*
            /// The metrics to sum up; repeat it for several, up to 100.
            #[serde(default)]
            #[param(required = true, min_items = 1, max_items = 100, example = json!(["temperature"]))]
            metric: Vec<Metric>,
            /// The width of a bucket: a number and `s`, `m`, `h`, `d`, `w`, `mo`, `q` or `y`, at most
            /// `10y`; or `auto` for the shortest usual one that gives at most `max_points` buckets.
            #[param(value_type = String, pattern = "^(auto|[1-9][0-9]{0,8}(s|m|h|d|w|mo|q|y))$", example = "1h")]
            interval: IntervalParameter,
            /// Most buckets of a series with `interval=auto`, 1 to 11,000; by default 500.
            #[param(minimum = 1, maximum = 11000)]
            max_points: Option<u32>,
            /// First instant inside the range; by default a day before `end`.
            #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
            start: Option<Instant>,
            /// First instant outside the range; by default the end of the bucket that is open now.
            #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
            end: Option<Instant>,
            /// Which aggregates, with commas between: avg, min, max, sum, count, first, last, stddev, median,
            /// and p1 to p99 for percentiles, such as `avg,max,p95`; up to 20, by default avg, min, max and sum. `count` is always there.
            #[serde(default)]
            #[param(
                value_type = Option<String>,
                pattern = "^(avg|min|max|sum|count|first|last|stddev|median|p[1-9][0-9]?)(,(avg|min|max|sum|count|first|last|stddev|median|p[1-9][0-9]?)){0,19}$"
            )]
            agg: Aggregates,
            /// What to tell of windows without readings: `none` (the default) leaves them out, `null`,
            /// `previous` repeats the last one, `linear` takes the straight line between its neighbours, and a
            /// number stands for itself. Their count is 0.
            #[serde(default)]
            #[param(
                value_type = Option<String>,
                pattern = "^(none|null|previous|linear|-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?)$"
            )]
            fill: Fill,
            /// Adds to each bucket how many readings were to be expected, from the median time between the
            /// last 1,000 readings before `end`.
            #[serde(default)]
            completeness: bool,
            /// The zone in which days begin, by its IANA name, such as `Europe/Berlin`; by default UTC.
            #[serde(default)]
            #[param(value_type = Option<String>, format = "iana-timezone")]
            timezone: Zone,
            /// Most buckets of the answer, over all of its series and whether they have readings or not, 1 to
            /// 11,000. A question that comes to more is refused with an interval that fits.
            #[serde(default)]
            #[param(value_type = Option<u32>, minimum = 1, maximum = 11000, default = 11000)]
            limit: BucketLimit,
        }

        impl $name {
            /// The question that is asked of so many devices.
            fn ask(self, devices: usize, combine: bool, now: Timestamp) -> Result<RollupQuery, Problem> {
                let metrics = require_metrics(self.metric)?;
                let range = OpenRange {
                    start: self.start.map(Instant::get),
                    end: self.end.map(Instant::get),
                };
                let resolution = resolution(self.interval, self.max_points)?;
                let devices = if combine { 1 } else { devices };
                let series = metrics.len().saturating_mul(devices);
                let zone = self.timezone;
                let windows = RollupWindows::new(range, resolution, zone, series, self.limit, now)?;
                Ok(RollupQuery {
                    metrics,
                    windows,
                    aggregates: self.agg,
                    fill: self.fill,
                    completeness: self.completeness,
                    combine,
                })
            }
        }
    };
}

rollup_parameters! {
    /// What to sum up of a device, and how.
    RollupParameters {}
}

rollup_parameters! {
    /// What to sum up of several devices, and how.
    FleetParameters {
        /// The devices; repeat it for several, up to 500.
        #[serde(default)]
        #[param(max_items = 500)]
        device_id: Vec<DeviceId>,
        /// Instead of `device_id`: all devices whose name contains this text, in upper or lower case.
        #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        search: Option<Search>,
        /// Instead of `device_id`, also together with `search`: all devices with this tag, `site:north`, or
        /// `site` for one of any value; repeat it for several, all of which they must have.
        #[serde(default)]
        #[param(inline, value_type = Vec<TagFilter>, required = false, max_items = 32)]
        tag: TagFilters,
        /// Sums up all devices together.
        #[serde(default)]
        combine: bool,
    }
}

impl RollupParameters {
    pub(super) fn question(self, now: Timestamp) -> Result<RollupQuery, Problem> {
        self.ask(1, false, now)
    }
}

impl FleetParameters {
    pub(super) fn question(self, devices: usize, now: Timestamp) -> Result<RollupQuery, Problem> {
        let combine = self.combine;
        self.ask(devices, combine, now)
    }

    /// The devices that are named or found.
    pub(super) async fn devices(&self, db: &Db, owner: OwnerId) -> Result<Vec<DeviceId>, Problem> {
        let too_many = |parameter| {
            let detail = format!("comes to more than {MAX_DEVICES} devices");
            invalid(parameter, "too_many_devices", &detail)
        };
        match (&self.device_id[..], self.filtered_by()) {
            ([], None) => {
                let detail = "is missing; tag or search would do as well";
                Err(invalid("device_id", "missing_parameter", detail))
            }
            ([], Some(parameter)) => {
                let filter = DeviceFilter {
                    status: None,
                    search: self.search.clone().and_then(Search::get),
                    tags: self.tag.clone(),
                };
                let limit = PageLimit::MOST;
                let found = device::list(db, owner, &filter, None, limit).await?;
                if found.next.is_some() {
                    return Err(too_many(parameter));
                }
                Ok(found.items.iter().map(|device| device.id).collect())
            }
            (_, Some(parameter)) => {
                let detail = "goes without device_id";
                Err(invalid(parameter, "invalid_combination", detail))
            }
            (devices, None) if devices.len() > MAX_DEVICES as usize => Err(too_many("device_id")),
            (devices, None) => Ok(devices.to_vec()),
        }
    }

    /// The parameter by which devices are to be found, if any is.
    fn filtered_by(&self) -> Option<&'static str> {
        if !self.tag.is_empty() {
            return Some("tag");
        }
        self.search.is_some().then_some("search")
    }
}

fn invalid(parameter: &str, code: &str, detail: &str) -> Problem {
    Problem::invalid(FieldError::at_parameter(parameter, code, detail.to_owned()))
}

fn resolution(interval: IntervalParameter, points: Option<u32>) -> Result<Resolution, Problem> {
    let refused = |code: &str, detail: &str| Err(invalid("max_points", code, detail));
    match (interval, points) {
        (IntervalParameter::Every(interval), None) => Ok(Resolution::Every(interval)),
        (IntervalParameter::Every(_), Some(_)) => {
            refused("invalid_combination", "goes only with interval=auto")
        }
        (IntervalParameter::Auto, Some(0 | 11_001..)) => {
            refused("invalid_value", "must be from 1 to 11000")
        }
        (IntervalParameter::Auto, points) => {
            Ok(Resolution::AtMost(points.unwrap_or(DEFAULT_POINTS)))
        }
    }
}
