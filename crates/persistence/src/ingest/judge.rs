//! Step 3: the rules of the devices judge what was stored, and alerts follow.

use super::{
    group::{Group, Row},
    literal,
};
use crate::{
    StoreError, Tx,
    alert::{self, Standing, Verdict},
    alert_rule, reading,
};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    alert::{Measured, Progress, Window},
    alert_rule::{Condition, NoData},
    reading::Outcome,
};
use sqlx::{Row as _, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

/// New readings of each series, with the place of each in the group.
type Fresh = HashMap<i32, Vec<(usize, Measured)>>;

/// A rule on a device whose metric has new readings.
pub(super) struct Armed {
    series: i32,
    rule: Uuid,
    rule_version: i32,
    device: Uuid,
    condition: Condition,
    no_data: Option<NoData>,
    /// Nothing where it has judged nothing yet.
    progress: Option<Progress>,
    /// The open alert, and the version of the rule that it cites.
    open: Option<(Uuid, i32)>,
    /// The same of an alert of silence.
    silence: Option<(Uuid, i32)>,
}

/// A rule with how far it has come, and the new readings that it is to judge.
pub(super) type Case = (Armed, Progress, Vec<Measured>);

/// Has every armed rule of these devices judge the new readings of its metric, stores what that came to, and
/// notes in the outcomes which readings came too late to be judged.
///
/// A duplicate was judged when it was first stored, and a conflict is not stored at all.
pub(super) async fn judge(
    tx: &Tx,
    group: &Group,
    devices: &[Uuid],
    outcomes: &mut [Outcome],
    (now, lateness): (Timestamp, TimeDelta),
) -> Result<(), StoreError> {
    let cases = find_late(tx, group, devices, outcomes, lateness).await?;
    let windows = cases.iter().filter_map(|(rule, progress, readings)| {
        Some((rule.series, progress.needs(readings, lateness)?))
    });
    let windows = windows_of(tx, windows).await?;
    let (mut verdicts, mut standings) = (Vec::new(), Vec::new());
    for (rule, progress, readings) in cases {
        let window = windows.get(&rule.series).map_or(&[][..], Vec::as_slice);
        let judged = progress.judge(&rule.condition, &readings, window, lateness);
        standings.push(rule.standing(judged.progress, now));
        let heard = rule.silence.zip(readings.first().copied());
        verdicts.push(Verdict {
            rule: rule.rule,
            rule_version: rule.rule_version,
            device: rule.device,
            open: rule.open,
            silence: heard.map(|((id, version), by)| (id, version, by)),
            again_from: judged.again_from,
            episodes: judged.episodes,
        });
    }
    alert::apply(tx, &verdicts, now).await?;
    alert::keep(tx, &standings, now).await
}

/// Finds the rules that are to judge something, and notes in the outcomes which readings come too late for them.
pub(super) async fn find_late(
    tx: &Tx,
    group: &Group,
    devices: &[Uuid],
    outcomes: &mut [Outcome],
    lateness: TimeDelta,
) -> Result<Vec<Case>, StoreError> {
    let fresh = fresh(group, devices, outcomes);
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    let armed = armed(tx, group, &fresh).await?;
    let begun = beginnings(tx, &armed).await?;
    let mut cases = Vec::new();
    for mut rule in armed {
        let after = || begun.get(&rule.series).copied();
        let progress = rule.progress.take();
        let progress = progress.unwrap_or_else(|| Progress::beginning(after()));
        let readings = fresh.get(&rule.series).map_or(&[][..], Vec::as_slice);
        let late = readings
            .iter()
            .filter(|(_, it)| progress.is_late(it.at, lateness));
        for (place, _) in late {
            if let Some(outcome) = outcomes.get_mut(*place) {
                *outcome = Outcome::Late;
            }
        }
        let readings: Vec<Measured> = readings.iter().map(|(_, it)| *it).collect();
        cases.push((rule, progress, readings));
    }
    Ok(cases)
}

impl Armed {
    fn standing(&self, progress: Progress, now: Timestamp) -> Standing {
        let after = self.no_data.and_then(NoData::patience);
        Standing {
            rule: self.rule,
            device: self.device,
            progress,
            check_at: after.map(|after| now + after),
        }
    }
}

fn fresh(group: &Group, armed: &[Uuid], outcomes: &[Outcome]) -> Fresh {
    let mut fresh = Fresh::new();
    let rows = group.rows.iter().zip(outcomes).enumerate();
    let created = rows.filter(|(_, (_, outcome))| **outcome == Outcome::Created);
    for (place, (row, _)) in created {
        let Some(Row {
            series_id,
            recorded_at,
            value,
        }) = row
        else {
            continue;
        };
        let series = group.series.get(series_id);
        if series.is_some_and(|it| armed.binary_search(&it.device).is_ok()) {
            let measured = Measured {
                at: *recorded_at,
                value: *value,
            };
            fresh.entry(*series_id).or_default().push((place, measured));
        }
    }
    fresh
}

/// The armed rules of these series, each with how far it has come and its open alerts.
async fn armed(tx: &Tx, group: &Group, fresh: &Fresh) -> Result<Vec<Armed>, StoreError> {
    let series = fresh
        .keys()
        .filter_map(|id| Some((*id, group.series.get(id)?)));
    let (ids, (devices, metrics)): (Vec<i32>, (Vec<Uuid>, Vec<&str>)) = series
        .map(|(id, it)| (id, (it.device, it.metric.as_str())))
        .unzip();
    let statement = sqlx::query(
        "select fresh.series_id, fresh.device_id, rule.id, rule.version, rule.comparator, rule.threshold::text,
                rule.clear_threshold::text, rule.hold_for, rule.keep_firing_for,
                rule.no_data_after, rule.no_data_action,
                state.evaluated_until, state.head, state.checkpoints, alert.id, alert.kind, alert.rule_version
         from unnest($1::integer[], $2::uuid[], $3::text[]) as fresh (series_id, device_id, metric)
         join devices as device on device.id = fresh.device_id
         cross join lateral (
             select * from alert_rules where device_id = device.id and metric = fresh.metric
                 and enabled and deleted_at is null
             union all
             select * from alert_rules where owner_id = device.owner_id and device_id is null
                 and metric = fresh.metric and device.tags @> tags and enabled and deleted_at is null) as rule
         left join alert_states as state on state.rule_id = rule.id and state.device_id = device.id
         left join alerts as alert on alert.rule_id = rule.id and alert.device_id = device.id
             and alert.status = 'firing'",
    );
    let statement = statement.bind(ids).bind(devices).bind(metrics);
    let rows = tx.fetch_all(statement).await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Armed, StoreError> {
    let open: Option<Uuid> = row.try_get(14)?;
    let open = open.zip(row.try_get(16)?);
    let kind: Option<&str> = row.try_get(15)?;
    let is_silence = kind == Some("no_data");
    Ok(Armed {
        series: row.try_get(0)?,
        device: row.try_get(1)?,
        rule: row.try_get(2)?,
        rule_version: row.try_get(3)?,
        condition: alert_rule::condition(
            (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?),
            (row.try_get(7)?, row.try_get(8)?),
        )?,
        no_data: alert_rule::no_data(row.try_get(9)?, row.try_get(10)?)?,
        progress: alert::progress(row, 11)?,
        open: open.filter(|_| !is_silence),
        silence: open.filter(|_| is_silence),
    })
}

/// Of series with a rule that has judged nothing yet, the newest reading that was there before: a rule does not
/// judge the past.
async fn beginnings(tx: &Tx, armed: &[Armed]) -> Result<HashMap<i32, Timestamp>, StoreError> {
    let new = armed.iter().filter(|it| it.progress.is_none());
    let series: Vec<i32> = new.map(|it| it.series).collect();
    if series.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = sqlx::query(
        "select id, newest.recorded_at from unnest($1::integer[]) as id
         cross join lateral (
             select recorded_at from samples
             where series_id = id and samples.xmin <> pg_current_xact_id()::xid
             order by recorded_at desc limit 1) as newest",
    );
    let rows = tx.fetch_all(statement.bind(series)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// All readings of the windows that rules need, by series.
async fn windows_of(
    tx: &Tx,
    windows: impl Iterator<Item = (i32, Window)>,
) -> Result<HashMap<i32, Vec<Measured>>, StoreError> {
    let mut spans: HashMap<i32, Window> = HashMap::new();
    for (series, (from, to)) in windows {
        let span = spans.entry(series).or_insert((from, to));
        *span = (span.0.min(from), span.1.max(to));
    }
    let mut found: HashMap<i32, Vec<Measured>> = HashMap::new();
    if spans.is_empty() {
        return Ok(found);
    }
    let spans: Vec<_> = spans
        .iter()
        .map(|(id, (from, to))| (*id, from.timestamp_micros(), to.timestamp_micros()))
        .collect();
    // The bounds once more as constants, so that only the partitions between them are looked at.
    let first = spans.iter().map(|it| it.1).min().unwrap_or_default();
    let last = spans.iter().map(|it| it.2).max().unwrap_or_default();
    let statement = format!(
        "select span.series_id, found.recorded_at, found.value from {spans} as span (series_id, first, last)
         cross join lateral (
             select recorded_at, value::text as value from samples
             where samples.series_id = span.series_id and recorded_at >= {from} and recorded_at <= {to}
                 and recorded_at >= {first} and recorded_at <= {last} offset 0) as found",
        spans = literal::spans(&spans),
        from = literal::instant("span.first"),
        to = literal::instant("span.last"),
        first = literal::instant(first),
        last = literal::instant(last),
    );
    let [done] = tx.message([statement]).await?;
    for row in &done.rows {
        found.entry(row.try_get(0)?).or_default().push(Measured {
            at: row.try_get(1)?,
            value: reading::value(row.try_get(2)?)?,
        });
    }
    Ok(found)
}
