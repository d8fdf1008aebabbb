//! Readings: how they come in, one by one, many at once and from everywhere, and how they are read.

mod atomic;
mod backfill;
mod batch;
mod bounds;
mod bulk;
mod digits;
mod dry_run;
mod encodings;
mod export;
mod export_cut;
mod formats;
mod list;
mod neighbours;
mod once;
mod order;
mod parallel;
mod single;

use crate::support::{Answer, Sql};

/// All that posting readings may change, as one text. Of partitions those of past months: others are made ahead.
async fn all_that_is_stored(sql: &Sql) -> String {
    let statement = "select (select count(*) || '/' || coalesce(sum(value), 0) from samples)
            || ' ' || (select count(*) from series)
            || ' ' || (select count(*) from pg_inherits join pg_class on pg_class.oid = inhrelid
                     where inhparent = 'samples'::regclass and relname < to_char(now(), '\"samples_\"YYYY_MM'))
            || ' ' || (select coalesce(string_agg(concat_ws('/', id, status, value, peak_value, resolved_at), ',' order by id), '') from alerts)
            || ' ' || (select coalesce(string_agg(concat_ws('/', rule_id, stretches), ',' order by rule_id), '') from alert_states)
            || ' ' || (select string_agg(concat_ws('/', id, status, last_seen_at), ',' order by id) from devices)";
    sql.one(statement).await
}

/// The receipt's errors as index and code.
#[track_caller]
fn errors(answer: &Answer) -> Vec<(u64, &str)> {
    let errors = answer.body["errors"].as_array();
    let errors = errors.unwrap_or_else(|| panic!("no errors: {}", answer.text));
    let indexes = errors.iter().map(|it| it["index"].as_u64().unwrap());
    let codes = errors.iter().map(|it| it["code"].as_str().unwrap());
    indexes.zip(codes).collect()
}
