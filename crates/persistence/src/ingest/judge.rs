//! Step 3: the rules of the devices judge what was stored, and alerts follow.

use super::{
    before,
    group::{Group, Row},
};
use crate::{
    StoreError, Tx,
    alert::{self, Standing, Verdict},
    alert_rule,
};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    alert::{Measured, Progress, Stretch},
    alert_rule::{Condition, NoData},
    reading::{Outcome, earliest},
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
    stretches: Option<Vec<Stretch>>,
    heard_at: Option<Timestamp>,
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
    let windows = before::windows(tx, windows).await?;
    let (mut verdicts, mut standings) = (Vec::new(), Vec::new());
    for (rule, progress, readings) in cases {
        let window = windows.get(&rule.series).map_or(&[][..], Vec::as_slice);
        let judged = progress.judge(&rule.condition, &readings, window, lateness);
        standings.extend(rule.standing(judged.progress.stretches, now));
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
    let newest = before::newest(tx, &since(&fresh, &armed, lateness)).await?;
    let mut cases = Vec::new();
    for rule in armed {
        let newest = newest.get(&rule.series).copied();
        let progress = match rule.stretches.clone() {
            Some(stretches) => Progress { newest, stretches },
            None => Progress::beginning(newest),
        };
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
    /// What is to be kept; nothing where nothing is new but the time, so that most readings write nothing.
    fn standing(&self, stretches: Vec<Stretch>, now: Timestamp) -> Option<Standing> {
        let patience = self.no_data.and_then(NoData::patience);
        let is_heard = patience.is_none()
            || self
                .heard_at
                .is_some_and(|at| now - at < alert::HEARD_EVERY && at <= now);
        if is_heard && self.stretches.as_ref() == Some(&stretches) {
            return None;
        }
        Some(Standing {
            rule: self.rule,
            device: self.device,
            stretches,
            check_at: patience.map(|after| now + after),
        })
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
                state.stretches, state.heard_at, alert.id, alert.kind, alert.rule_version
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
    let open: Option<Uuid> = row.try_get(13)?;
    let kind: Option<&str> = row.try_get(14)?;
    let open = open.zip(row.try_get(15)?);
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
        stretches: alert::stretches(row, 11)?,
        heard_at: row.try_get(12)?,
        open: open.filter(|_| !is_silence),
        silence: open.filter(|_| is_silence),
    })
}

/// From when on it matters which the newest reading of a series is: one that is older than all that are judged
/// changes nothing. A rule that has judged nothing yet wants to know it in any case, since it does not judge the past.
fn since(fresh: &Fresh, armed: &[Armed], lateness: TimeDelta) -> Vec<(i32, Timestamp)> {
    let mut since = HashMap::new();
    for rule in armed {
        let readings = fresh.get(&rule.series).map_or(&[][..], Vec::as_slice);
        let first = readings.iter().map(|(_, it)| it.at).min();
        let first = first.filter(|_| rule.stretches.is_some());
        let bound = first.map_or_else(earliest, |at| at - lateness);
        let known = since.entry(rule.series).or_insert(bound);
        *known = bound.min(*known);
    }
    since.into_iter().collect()
}
