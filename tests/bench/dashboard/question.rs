//! What dashboards ask, and the plain SQL that answers the same from samples.

use super::data::{self, DAY, Data};
use crate::rig::Rig;

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// So many days of one metric in windows of this width.
    Windows(u64, &'static str),
    /// The same, of which each client asks for a range of its own.
    Apart(u64, &'static str),
    /// The same, from a client that has the answer already.
    Known(u64, &'static str),
    /// The latest reading of each metric of a device.
    Latest,
    /// A day of the fleet by the hour.
    Fleet,
}

/// Every question: its name, how many ask it at once, its kind, and what it is.
const ALL: [(&str, usize, Kind, &str); 8] = [
    (
        "dashboard-month-1",
        1,
        Kind::Windows(30, "1h"),
        "30 days by the hour",
    ),
    (
        "dashboard-month-16",
        16,
        Kind::Windows(30, "1h"),
        "30 days by the hour",
    ),
    (
        "dashboard-month-apart",
        16,
        Kind::Apart(30, "1h"),
        "the same, 16 ranges",
    ),
    (
        "dashboard-known",
        1,
        Kind::Known(30, "1h"),
        "the same, If-None-Match",
    ),
    (
        "dashboard-year",
        1,
        Kind::Windows(365, "1d"),
        "one year by the day",
    ),
    (
        "dashboard-week",
        1,
        Kind::Windows(7, "5m"),
        "7 days by 5 minutes",
    ),
    ("dashboard-latest", 1, Kind::Latest, "latest of 50 metrics"),
    (
        "dashboard-fleet",
        1,
        Kind::Fleet,
        "100 devices, 24 hours by the hour",
    ),
];

/// A question, ready to be asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) clients: usize,
    pub(super) what: &'static str,
    /// For each client.
    pub(super) paths: Vec<String>,
    /// Answers begin and count of each window, avg, min and max; or time and value of the latest.
    pub(super) sql: String,
    /// Whether the client has the answer already.
    pub(super) is_known: bool,
}

/// The names of all questions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|(name, ..)| name)
}

/// The questions with these names.
pub(super) async fn chosen(rig: &Rig, data: &Data, wants: impl Fn(&str) -> bool) -> Vec<Question> {
    let mut chosen = Vec::new();
    for (name, clients, kind, what) in ALL.into_iter().filter(|it| wants(it.0)) {
        chosen.push(Question {
            name,
            clients,
            what,
            paths: (0..clients as u64).map(|it| path(data, kind, it)).collect(),
            sql: sql(rig, data, kind).await,
            is_known: matches!(kind, Kind::Known(..)),
        });
    }
    chosen
}

/// A path that asks for windows of the device with a year.
pub(super) fn windows(data: &Data, days: u64, interval: &str, aggregates: &str) -> String {
    windows_until(data, data.end, days, interval, aggregates)
}

fn windows_until(data: &Data, end: u64, days: u64, interval: &str, aggregates: &str) -> String {
    let (device, metric) = (&data.year, data::metric(0));
    let range = range_until(end, days);
    format!("devices/{device}/rollups?metric={metric}&interval={interval}&agg={aggregates}&{range}")
}

fn range(data: &Data, days: u64) -> String {
    range_until(data.end, days)
}

fn range_until(end: u64, days: u64) -> String {
    let [start, end] = [end - days * DAY, end].map(time);
    format!("start={start}&end={end}")
}

fn path(data: &Data, kind: Kind, client: u64) -> String {
    match kind {
        Kind::Apart(days, interval) => {
            let end = data.end - client * 3_600;
            windows_until(data, end, days, interval, "avg,min,max")
        }
        Kind::Windows(days, interval) | Kind::Known(days, interval) => {
            windows(data, days, interval, "avg,min,max")
        }
        Kind::Latest => format!("devices/{}/latest", data.many_metrics),
        Kind::Fleet => {
            let devices = data.fleet.iter().map(|id| format!("device_id={id}&"));
            let (devices, range) = (devices.collect::<String>(), range(data, 1));
            let metric = data::metric(0);
            format!("rollups?{devices}metric={metric}&interval=1h&agg=avg,min,max&{range}")
        }
    }
}

async fn sql(rig: &Rig, data: &Data, kind: Kind) -> String {
    let between = |days| {
        let [start, end] = [data.end - days * DAY, data.end].map(time);
        format!("recorded_at >= '{start}' and recorded_at < '{end}'")
    };
    let bin = |width| format!("date_bin('{width}', recorded_at, '2000-01-01T00:00:00Z')");
    let aggregates = "count(*), avg(value), min(value), max(value)";
    match kind {
        Kind::Windows(days, width) | Kind::Apart(days, width) | Kind::Known(days, width) => {
            let ids = series(rig, std::slice::from_ref(&data.year)).await;
            format!(
                "select {bin}, {aggregates} from samples where series_id = {ids} and {between} \
                 group by 1 order by 1",
                bin = bin(width),
                between = between(days),
            )
        }
        Kind::Latest => {
            let ids = series(rig, std::slice::from_ref(&data.many_metrics)).await;
            format!(
                "select distinct on (series_id) recorded_at, value, series_id from samples \
                 where series_id in ({ids}) order by series_id, recorded_at desc"
            )
        }
        Kind::Fleet => {
            let ids = series(rig, &data.fleet).await;
            format!(
                "select {bin}, {aggregates}, series_id from samples \
                 where series_id in ({ids}) and {between} group by 6, 1 order by 6, 1",
                bin = bin("1h"),
                between = between(1),
            )
        }
    }
}

/// The series of some devices, with commas between.
async fn series(rig: &Rig, devices: &[String]) -> String {
    let devices = devices.join(",");
    let ids = format!(
        "select string_agg(id::text, ',') from series where device_id = any('{{{devices}}}')"
    );
    rig.text(&ids).await
}

fn time(seconds: u64) -> String {
    let at = chrono::DateTime::from_timestamp(seconds.try_into().unwrap(), 0).unwrap();
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
