//! Answers of the service beside plain SQL over samples, once everything is quiet.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::writer::Writer;
use crate::support::{Sql, User, ago};

/// The aggregates as they are asked for, and as SQL has them of the column `value`.
const AGGREGATES: [(&str, &str); 6] = [
    ("avg", "avg(value)"),
    ("sum", "sum(value)"),
    ("min", "min(value)"),
    ("max", "max(value)"),
    (
        "first",
        "(array_agg(value order by recorded_at, series_id))[1]",
    ),
    (
        "last",
        "(array_agg(value order by recorded_at desc, series_id))[1]",
    ),
];

/// Count and aggregates of each window.
type Windows = BTreeMap<DateTime<Utc>, (String, Vec<Decimal>)>;

/// Compares everything of each writer, and of all of them together, and answers how many windows that were.
pub(super) async fn compare(user: &User, sql: &Sql, writers: &[Writer]) -> usize {
    let mut compared = 0;
    for (interval, unit, years) in [
        ("1h", "hour", 0),
        ("1d", "day", 5),
        ("1w", "week", 5),
        ("1mo", "month", 5),
    ] {
        // Hours of a clock that changes are counted otherwise than SQL does.
        let zones = [
            "UTC",
            "Asia/Kolkata",
            "Europe/Berlin",
            "Australia/Lord_Howe",
        ];
        for zone in zones.into_iter().take(if unit == "hour" { 2 } else { 4 }) {
            let start = ago(86_400 * (4 + years * 365))
                .to_rfc3339()
                .replace("+00:00", "Z");
            let common = format!(
                "metric=t&interval={interval}&timezone={zone}&agg=avg,sum,min,max,first,last&start={start}"
            );
            let ids: Vec<&str> = writers.iter().map(|it| it.device.id.as_str()).collect();
            for ids in ids.chunks(1).chain([&ids[..]]) {
                let query: Vec<String> = ids.iter().map(|id| format!("device_id={id}")).collect();
                let path = format!("/rollups?combine=true&{}&{common}", query.join("&"));
                let answered = answered(user, &path).await;
                assert_eq!(
                    answered,
                    plain(sql, ids, (unit, zone), &start).await,
                    "{path}"
                );
                compared += answered.len();
            }
        }
    }
    compared
}

async fn answered(user: &User, path: &str) -> Windows {
    #[derive(serde::Deserialize)]
    struct Rollup {
        data: Vec<Series>,
    }
    #[derive(serde::Deserialize)]
    struct Series {
        buckets: Vec<BTreeMap<String, Box<RawValue>>>,
    }
    let rollup: Rollup = user.get(path).await.expect(200).parse();
    let mut windows = Windows::new();
    for bucket in rollup.data.iter().flat_map(|it| &it.buckets) {
        let start: DateTime<Utc> = serde_json::from_str(bucket["start"].get()).unwrap();
        let values = AGGREGATES.map(|(name, _)| Decimal::from_str(bucket[name].get()).unwrap());
        windows.insert(start, (bucket["count"].get().to_owned(), values.to_vec()));
    }
    windows
}

async fn plain(sql: &Sql, ids: &[&str], (unit, zone): (&str, &str), start: &str) -> Windows {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let statement = format!(
        "select to_char(date_trunc('{unit}', recorded_at, '{zone}') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
                count(*), {aggregates} \
         from samples join series on series.id = series_id \
         where device_id in ({ids}) and metric = 't' and recorded_at >= '{start}' group by 1",
        ids = ids.join(", "),
        aggregates = AGGREGATES.map(|(_, aggregate)| aggregate).join(", "),
    );
    let window = |row: Vec<String>| {
        let values = row[2..].iter().map(|it| Decimal::from_str(it).unwrap());
        (row[0].parse().unwrap(), (row[1].clone(), values.collect()))
    };
    sql.rows(&statement).await.into_iter().map(window).collect()
}
