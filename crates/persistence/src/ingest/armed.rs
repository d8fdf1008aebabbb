//! A rule on a device, as ingest sees it: what it waits for, and how far it has come.

use super::{before, group::Group, literal};
use crate::{
    StoreError, Tx,
    alert::{self, Standing},
    alert_rule,
};
use domain::{
    Timestamp,
    alert::{Progress, Stretch},
    alert_rule::{Condition, NoData},
    reading::earliest,
};
use sqlx::{Row as _, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

/// A rule on a device whose metric has new readings.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    pub(super) series: i32,
    pub(super) rule: Uuid,
    pub(super) rule_version: i32,
    pub(super) device: Uuid,
    pub(super) condition: Condition,
    pub(super) no_data: Option<NoData>,
    /// Nothing where it has judged nothing yet.
    pub(super) stretches: Option<Vec<Stretch>>,
    pub(super) heard_at: Option<Timestamp>,
    /// The open alert, and the version of the rule that it cites.
    pub(super) open: Option<(Uuid, i32)>,
    /// The same of an alert of silence.
    pub(super) silence: Option<(Uuid, i32)>,
}

impl Armed {
    /// How far it has come; judging begins after the newest reading that is there.
    pub(super) fn progress(&self, newest: Option<Timestamp>) -> Progress {
        match self.stretches.clone() {
            Some(stretches) => Progress { newest, stretches },
            None => Progress::beginning(newest),
        }
    }

    /// What is to be kept; nothing where nothing is new but the time, so that most readings write nothing.
    pub(super) fn standing(&self, stretches: Vec<Stretch>, now: Timestamp) -> Option<Standing> {
        if self.is_heard(now) && self.stretches.as_ref() == Some(&stretches) {
            return None;
        }
        Some(Standing {
            rule: self.rule,
            device: self.device,
            stretches,
            check_at: self.patience().map(|after| now + after),
        })
    }

    /// Whether it need not be noted that a reading arrived: silence does not matter, or one did just now.
    pub(super) fn is_heard(&self, now: Timestamp) -> bool {
        let just_now = |at: Timestamp| now - at < alert::HEARD_EVERY && at <= now;
        self.patience().is_none() || self.heard_at.is_some_and(just_now)
    }

    fn patience(&self) -> Option<chrono::TimeDelta> {
        self.no_data.and_then(NoData::patience)
    }
}

/// Asks for the armed rules of these series, each with how far it has come and its open alert; and for the newest
/// reading of each series since some time, or ever where a rule has judged nothing yet.
pub(super) async fn find(
    tx: &Tx,
    group: &Group,
    since: &[(i32, Timestamp)],
) -> Result<(Vec<Armed>, HashMap<i32, Timestamp>), StoreError> {
    if since.is_empty() {
        return Ok((Vec::new(), HashMap::new()));
    }
    let known = |(id, _): &(i32, _)| Some((*id, group.series.get(id)?));
    let series: Vec<_> = since.iter().filter_map(known).collect();
    let rules = format!(
        "select * from armed_rules({}, {}, {})",
        literal::array(series.iter().map(|(id, _)| *id), "integer"),
        literal::array(series.iter().map(|(_, it)| it.device), "uuid"),
        literal::metrics(series.iter().map(|(_, it)| it.metric.as_str())),
    );
    let [rules, newest] = tx.message([rules, before::newest_statement(since)]).await?;
    let rules: Vec<Armed> = rules.rows.iter().map(read).collect::<Result<_, _>>()?;
    let mut newest = before::read_newest(&newest)?;
    // A rule that begins wants to know the newest in any case, since it does not judge the past.
    let begins = rules.iter().filter(|it| it.stretches.is_none());
    let begins: Vec<(i32, Timestamp)> = begins.map(|it| (it.series, earliest())).collect();
    newest.extend(before::newest(tx, &begins).await?);
    Ok((rules, newest))
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
