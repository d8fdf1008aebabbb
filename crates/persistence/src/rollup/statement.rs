//! The statements that sum up kept hours and samples by window.

use super::{
    Series,
    bucket::{bucket, bucket_of_hour, counted_in_hours, micros, with_edges},
    plan::Plan,
};
use crate::ingest::literal;
use domain::rollup::{Aggregate, RollupQuery};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

/// What a piece (a kept hour, the samples of a window, or a single sample) tells for the answer.
struct Part {
    name: &'static str,
    /// From samples of one window.
    of_samples: &'static str,
    /// From a single sample, where all values are needed anyway.
    of_sample: &'static str,
}

const COUNT: Part = part("count", "count(*)", "1");
const SUM: Part = part("sum", "sum(value)", "value");
const SUM_SQUARES: Part = part("sum_squares", "sum(value * value)", "value * value");
const MIN: Part = part("min", "min(value)", "value");
const MAX: Part = part("max", "max(value)", "value");
const FIRST_AT: Part = part("first_at", "min(recorded_at)", "recorded_at");
const LAST_AT: Part = part("last_at", "max(recorded_at)", "recorded_at");
const FIRST: Part = part(
    "first",
    "(array_agg(value order by recorded_at))[1]",
    "value",
);
const LAST: Part = part(
    "last",
    "(array_agg(value order by recorded_at desc))[1]",
    "value",
);

const fn part(name: &'static str, of_samples: &'static str, of_sample: &'static str) -> Part {
    Part {
        name,
        of_samples,
        of_sample,
    }
}

fn parts_of(aggregate: Aggregate) -> Vec<Part> {
    match aggregate {
        Aggregate::Count => vec![],
        Aggregate::Avg | Aggregate::Sum | Aggregate::Median | Aggregate::Percentile(_) => vec![SUM],
        Aggregate::Stddev => vec![SUM, SUM_SQUARES],
        Aggregate::Min => vec![MIN],
        Aggregate::Max => vec![MAX],
        Aggregate::First => vec![FIRST_AT, FIRST],
        Aggregate::Last => vec![LAST_AT, LAST],
    }
}

/// What the pieces of a window come to, or its only one.
fn whole(aggregate: Aggregate, is_single: bool) -> String {
    let all = |function: &str, name: &str| {
        if is_single {
            name.to_owned()
        } else {
            format!("{function}({name})")
        }
    };
    let nearest = |name: &str, order: &str| {
        if is_single {
            name.to_owned()
        } else {
            format!("(array_agg({name} order by {order}, series_id))[1]")
        }
    };
    let (count, sum) = (all("sum", "count"), all("sum", "sum"));
    match aggregate {
        Aggregate::Count => count,
        // A mean is the sum, divided where it is read.
        Aggregate::Avg | Aggregate::Sum => sum,
        Aggregate::Min => all("min", "min"),
        Aggregate::Max => all("max", "max"),
        Aggregate::First => nearest("first", "first_at"),
        Aggregate::Last => nearest("last", "last_at desc"),
        Aggregate::Stddev => {
            let (count, squares) = (format!("{count}::numeric"), all("sum", "sum_squares"));
            format!(
                "coalesce((case when {count} > 1 then sqrt(\
                 ({count} * {squares} - {sum} * {sum}) / ({count} * ({count} - 1))) end)::text, '{NULL}')"
            )
        }
        Aggregate::Median => percentile(50),
        Aggregate::Percentile(percent) => percentile(percent),
    }
}

/// Whether each window of each entry of the answer is a single piece, so that there is nothing to sum up.
fn is_single(query: &RollupQuery, groups: &HashMap<i32, usize>, plan: &Plan) -> bool {
    let entries: HashSet<&usize> = groups.values().collect();
    entries.len() == groups.len()
        && query.aggregates.percents().next().is_none()
        && (plan.hours.is_none()
            || counted_in_hours(&query.windows.windows).is_some_and(|it| it.1 == 1))
}

/// Between the two nearest ranks, without rounding. Every piece is a sample here, whose sum is its value.
fn percentile(percent: u8) -> String {
    let rank = format!("((count(*)::bigint - 1) * {percent})");
    let value = |after: u8| {
        format!(
            "(array_agg(sum order by sum))[least({rank} / 100 + {}, count(*))::integer]",
            after + 1
        )
    };
    let (low, high) = (value(0), value(1));
    format!("{low} + ({high} - {low}) * ({rank} % 100) * 0.01")
}

/// What stands for null within a text.
pub(super) const NULL: &str = "-";

/// Whatever there is nothing of.
const NOTHING: &str = "select where false";

/// Each answers a series of each entry, and its windows as one text, separated by commas, since that costs everyone
/// on the way less than a row for each: the begin in microseconds, the count, and what was asked for, in order,
/// separated by blanks.
///
/// Where there is nothing to sum up, hours and samples are read each by itself, which is twice as fast.
pub(super) fn statements(
    query: &RollupQuery,
    series: &[Series],
    groups: &HashMap<i32, usize>,
    plan: &Plan,
) -> [String; 2] {
    let mut parts = vec![COUNT];
    for part in query.aggregates.iter().flat_map(parts_of) {
        if parts.iter().all(|it| it.name != part.name) {
            parts.push(part);
        }
    }
    let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
    let names = names.join(", ");
    let hours = plan
        .hours
        .map(|hours| from_hours(query, series, hours, plan, &names));
    let samples = (!plan.samples.is_empty()).then(|| from_samples(query, plan, &parts, &names));
    if is_single(query, groups, plan) {
        let all = |pieces: Option<String>| pieces.map(|pieces| singles(query, &pieces));
        return [all(hours), all(samples)].map(|it| it.unwrap_or_else(|| NOTHING.to_owned()));
    }
    let pieces: Vec<String> = [hours, samples].into_iter().flatten().collect();
    let sums = sums(query, groups, &pieces.join(" union all "));
    [sums, NOTHING.to_owned()]
}

/// Where each piece is a window.
fn singles(query: &RollupQuery, pieces: &str) -> String {
    format!(
        "{} select series_id, string_agg(concat_ws(' ', bucket, count{}), ',') from ({pieces}) as pieces \
         group by series_id",
        with_edges(&query.windows.windows),
        wholes(query, true),
    )
}

/// Where a window has several pieces.
fn sums(query: &RollupQuery, groups: &HashMap<i32, usize>, pieces: &str) -> String {
    let (key, groups) = if query.combine {
        let (ids, places): (Vec<i32>, Vec<usize>) =
            groups.iter().map(|(id, place)| (*id, *place)).unzip();
        let groups = format!(
            " join unnest({}, {}) as groups (series_id, place) using (series_id)",
            literal::array(ids.iter(), "integer"),
            literal::array(places.iter(), "bigint"),
        );
        ("place", groups)
    } else {
        ("series_id", String::new())
    };
    format!(
        "{} select min(id), string_agg(window_text, ',') from ( \
             select {key} as key, min(series_id) as id, concat_ws(' ', bucket, sum(count){}) as window_text \
             from ({pieces}) as pieces{groups} group by {key}, bucket) as windows_of_entry group by key",
        with_edges(&query.windows.windows),
        wholes(query, false),
    )
}

fn wholes(query: &RollupQuery, is_single: bool) -> String {
    query.aggregates.iter().fold(String::new(), |mut all, it| {
        let _ = write!(all, ", {}", whole(it, is_single));
        all
    })
}

fn from_hours(
    query: &RollupQuery,
    series: &[Series],
    (first, last): (i64, i64),
    plan: &Plan,
    names: &str,
) -> String {
    let mut statement = format!(
        "select series_id, {bucket} as bucket, {names} from series_hours \
         where series_id = any({ids}) and hour >= {first} and hour < {last}",
        bucket = bucket_of_hour(&query.windows.windows),
        ids = literal::array(series.iter().map(|it| it.id), "integer"),
    );
    if !plan.cut.is_empty() {
        let ranges: Vec<String> = plan
            .cut
            .iter()
            .map(|(from, to)| format!("[{from},{to})"))
            .collect();
        let _ = write!(
            statement,
            " and not '{{{}}}'::int4multirange @> hour",
            ranges.join(",")
        );
    }
    if plan.any_stale {
        statement.push_str(
            " and not exists (select from stale_hours where stale_hours.series_id = series_hours.series_id \
             and stale_hours.hour = series_hours.hour)",
        );
    }
    statement
}

/// Sums up samples, each range by itself, so that all that is read is found through the index.
fn from_samples(query: &RollupQuery, plan: &Plan, parts: &[Part], names: &str) -> String {
    let all_values = query.aggregates.percents().next().is_some();
    let (group, part): (&str, fn(&Part) -> &'static str) = if all_values {
        ("", |it| it.of_sample)
    } else {
        (" group by 1", |it| it.of_samples)
    };
    let columns: Vec<String> = parts
        .iter()
        .map(|it| format!("{} as {}", part(it), it.name))
        .collect();
    let bounds = |it: fn(&super::plan::Piece) -> i64| plan.samples.iter().map(it);
    let (first, last) = (
        bounds(|it| it.from).min().unwrap_or_default(),
        bounds(|it| it.to).max().unwrap_or_default(),
    );
    format!(
        "select range.series_id, {micros} as bucket, {names} \
         from unnest({series}, {from}, {to}) as range (series_id, low, high) \
         cross join lateral (\
             select {bucket} as bucket, {columns} from samples \
             where samples.series_id = range.series_id \
               and recorded_at >= {low} and recorded_at < {high} \
               and recorded_at >= {first} and recorded_at < {last}{group} offset 0) as found",
        micros = micros("found.bucket"),
        series = literal::array(plan.samples.iter().map(|it| it.series), "integer"),
        from = literal::array(bounds(|it| it.from), "bigint"),
        to = literal::array(bounds(|it| it.to), "bigint"),
        bucket = bucket(&query.windows.windows, "recorded_at"),
        columns = columns.join(", "),
        low = literal::instant("range.low"),
        high = literal::instant("range.high"),
        // The same again as constants, so that only the partitions between them are looked at.
        first = literal::instant(first),
        last = literal::instant(last),
    )
}
