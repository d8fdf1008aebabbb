//! Step 3: the rules of the devices judge what was stored, and alerts follow.

use super::{
    before,
    group::{Group, Row},
    literal,
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
use std::{collections::HashMap, sync::Arc};
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

/// A rule with how far it has come, and the new readings that it is to judge, as all rules of their series do.
pub(super) type Case = (Armed, Progress, Arc<[Measured]>);

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
    let (armed, mut newest) = armed(tx, group, &fresh, lateness).await?;
    // A rule that has judged nothing yet wants to know the newest in any case, since it does not judge the past.
    let begins = armed.iter().filter(|it| it.stretches.is_none());
    let begins: Vec<(i32, Timestamp)> = begins.map(|it| (it.series, earliest())).collect();
    newest.extend(before::newest(tx, &begins).await?);
    let values = |it: &Vec<(usize, Measured)>| it.iter().map(|(_, it)| *it).collect();
    let values: HashMap<i32, Arc<[Measured]>> =
        fresh.iter().map(|(id, it)| (*id, values(it))).collect();
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
        let values = values.get(&rule.series).map(Arc::clone);
        cases.push((rule, progress, values.unwrap_or_default()));
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

/// The armed rules of these series, each with how far it has come and its open alert; and the newest reading of
/// each series, where that matters: one that is older than all that are judged, by more than the window, does not.
async fn armed(
    tx: &Tx,
    group: &Group,
    fresh: &Fresh,
    lateness: TimeDelta,
) -> Result<(Vec<Armed>, HashMap<i32, Timestamp>), StoreError> {
    let known = |id: &i32| Some((*id, group.series.get(id)?));
    let series: Vec<_> = fresh.keys().filter_map(known).collect();
    let rules = format!(
        "select * from armed_rules({}, {}, {})",
        literal::array(series.iter().map(|(id, _)| *id), "integer"),
        literal::array(series.iter().map(|(_, it)| it.device), "uuid"),
        literal::metrics(series.iter().map(|(_, it)| it.metric.as_str())),
    );
    let first = |readings: &[(usize, Measured)]| readings.iter().map(|it| it.1.at).min();
    let since = fresh
        .iter()
        .filter_map(|(series, it)| Some((*series, first(it)? - lateness)));
    let newest = before::newest_statement(&since.collect::<Vec<_>>());
    let [rules, newest] = tx.message([rules, newest]).await?;
    let rules = rules.rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok((rules, before::read_newest(&newest)?))
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
