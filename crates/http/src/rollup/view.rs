//! Rollups as they are answered.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use domain::{
    decimal::WideDecimal,
    device::DeviceId,
    reading::Metric,
    rollup::{Bucket, RollupQuery, SeriesRollup},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type, schema::SchemaType};

/// Rollups of a device, or of several.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Rollup)]
pub(super) struct RollupView<'a> {
    /// The device, where one was asked for by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    device_id: Option<DeviceId>,
    /// The width of a bucket, also where it was chosen.
    #[schema(example = "1h")]
    interval: String,
    #[schema(example = "UTC")]
    timezone: String,
    /// First instant inside the range.
    start: DateTime<Utc>,
    /// First instant outside the range.
    end: DateTime<Utc>,
    /// One entry for each device and metric, in the order in which they were asked for.
    data: Vec<SeriesView<'a>>,
}

/// Rollups of one metric.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SeriesRollup)]
struct SeriesView<'a> {
    /// The device, where several were asked for and are not combined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    device_id: Option<DeviceId>,
    metric: &'a Metric,
    /// Its buckets, oldest first; those without readings are left out unless they are to be filled.
    #[schema(value_type = Vec<BucketView>)]
    buckets: Vec<BucketWriter<'a>>,
}

/// A window of time with what was measured in it, as it is documented.
#[derive(utoipa::ToSchema)]
#[schema(as = Bucket)]
#[expect(
    dead_code,
    clippy::zero_sized_map_values,
    reason = "describes the answer in the document"
)]
struct BucketView {
    /// First instant inside.
    start: DateTime<Utc>,
    /// First instant outside.
    end: DateTime<Utc>,
    /// Number of readings; 0 in a window that was filled.
    #[schema(minimum = 0, example = 360)]
    count: i64,
    /// Whether readings may be missing, since the window is still open or cut by the range.
    partial: bool,
    /// How many readings were to be expected in the part of the window that is in the range and has passed;
    /// only with `completeness=true`, and null where it cannot be told.
    #[schema(required = false, minimum = 0)]
    expected_count: Option<i64>,
    /// The mean, to at least 16 significant digits.
    #[schema(required = false)]
    avg: Option<WideDecimal>,
    /// The smallest value, without trailing zeros.
    #[schema(required = false)]
    min: Option<WideDecimal>,
    /// The largest value, without trailing zeros.
    #[schema(required = false)]
    max: Option<WideDecimal>,
    /// The exact sum.
    #[schema(required = false)]
    sum: Option<WideDecimal>,
    /// The value that was measured first.
    #[schema(required = false)]
    first: Option<WideDecimal>,
    /// The value that was measured last.
    #[schema(required = false)]
    last: Option<WideDecimal>,
    /// The standard deviation of a sample; null of a single value.
    #[schema(required = false)]
    stddev: Option<WideDecimal>,
    /// The value in the middle.
    #[schema(required = false)]
    median: Option<WideDecimal>,
    /// Percentiles, each by its name such as `p95`: exactly between the two nearest ranks.
    #[serde(flatten)]
    percentiles: BTreeMap<String, MaybeNumber>,
}

/// A number, or null.
struct MaybeNumber;

impl utoipa::ToSchema for MaybeNumber {}

impl utoipa::PartialSchema for MaybeNumber {
    fn schema() -> RefOr<Schema> {
        let types = vec![Type::Number, Type::Null];
        let schema = ObjectBuilder::new().schema_type(SchemaType::Array(types));
        RefOr::T(schema.into())
    }
}

/// A bucket on its way into JSON.
#[derive(Debug)]
struct BucketWriter<'a> {
    query: &'a RollupQuery,
    names: &'a [String],
    spacing: Option<TimeDelta>,
    bucket: &'a Bucket,
}

impl<'a> RollupView<'a> {
    /// Of one device, or of several.
    pub(super) fn new(
        device_id: Option<DeviceId>,
        asked: &'a Asked<'a>,
        rollups: &'a [SeriesRollup],
    ) -> Self {
        let Asked { query, names } = asked;
        let windows = &query.windows;
        let series = |it: &'a SeriesRollup| SeriesView {
            device_id: it.device.filter(|_| device_id.is_none()),
            metric: &it.metric,
            buckets: it
                .buckets
                .iter()
                .map(|bucket| BucketWriter {
                    query,
                    names,
                    spacing: it.spacing,
                    bucket,
                })
                .collect(),
        };
        Self {
            device_id,
            interval: windows.interval.into(),
            timezone: windows.zone.into(),
            start: windows.start,
            end: windows.end,
            data: rollups.iter().map(series).collect(),
        }
    }
}

/// A question, with the names of what it asks for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    query: &'a RollupQuery,
    names: Vec<String>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(query: &'a RollupQuery) -> Self {
        let names = query.aggregates.iter().map(|it| it.to_string()).collect();
        Self { query, names }
    }
}

/// The edge of a window, most of which are whole seconds: these are written several times as fast as others.
struct Edge(DateTime<Utc>);

impl Serialize for Edge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.0;
        let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999);
        let (Some(year), 0) = (year, at.nanosecond()) else {
            return at.serialize(serializer);
        };
        let mut text = *b"0000-00-00T00:00:00Z";
        for (end, number) in [
            (4, year),
            (7, at.month()),
            (10, at.day()),
            (13, at.hour()),
            (16, at.minute()),
            (19, at.second()),
        ] {
            let mut rest = number;
            for place in text
                .iter_mut()
                .take(end)
                .rev()
                .take_while(|it| it.is_ascii_digit())
            {
                *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
        }
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for BucketWriter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (windows, bucket) = (&self.query.windows, self.bucket);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("start", &Edge(bucket.start))?;
        map.serialize_entry("end", &Edge(bucket.end))?;
        map.serialize_entry("count", &bucket.count)?;
        map.serialize_entry("partial", &windows.is_partial(bucket))?;
        if self.query.completeness {
            let expected = self.spacing.map(|it| windows.expected(bucket, it));
            map.serialize_entry("expected_count", &expected)?;
        }
        for (name, value) in self.names.iter().zip(&bucket.values) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_written_as_times_are() {
        for text in [
            "2026-01-31T12:34:56Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2026-11-27T00:00:00.000001Z",
            "2016-12-31T23:59:60Z",
            "+10000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
        ] {
            let at: DateTime<Utc> = text.parse().unwrap();
            let edge = serde_json::to_string(&Edge(at)).unwrap();
            assert_eq!(edge, serde_json::to_string(&at).unwrap());
        }
    }
}
