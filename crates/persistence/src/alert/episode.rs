//! Episodes as alerts: what judging readings came to, kept.

use super::transition::{Cause, Happened, record};
use crate::{StoreError, Tx};
use domain::{
    Timestamp,
    alert::{EpisodeChange, Measured, Phase, Transition},
    reading::earliest,
};
use sqlx::{Postgres, Row as _, postgres::PgArguments, query::Query};
use std::collections::HashMap;
use uuid::Uuid;

/// What judging readings by a rule on a device came to.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) rule: Uuid,
    pub(crate) rule_version: i32,
    pub(crate) device: Uuid,
    /// The alert that was open before, and the version of the rule that it cites.
    pub(crate) open: Option<(Uuid, i32)>,
    /// The alert of silence that was open before, the version of the rule that it cites, and the reading that
    /// ended it.
    pub(crate) silence: Option<(Uuid, i32, Measured)>,
    /// From when on everything was judged again.
    pub(crate) again_from: Option<Timestamp>,
    pub(crate) episodes: Vec<EpisodeChange>,
}

/// An alert as it is stored.
struct Stored {
    id: Uuid,
    rule_version: i32,
    triggered_at: Timestamp,
    resolved_at: Option<Timestamp>,
}

/// What is to be written.
#[derive(Default)]
struct Changes<'a> {
    gone: Vec<Uuid>,
    known: Vec<(Uuid, &'a EpisodeChange)>,
    new: Vec<(Uuid, &'a Verdict, &'a EpisodeChange)>,
    /// Alerts whose timeline is written again from some time on.
    again: Vec<(Uuid, Timestamp)>,
    happened: Vec<Happened>,
}

/// Stores what judging readings came to, within the transaction that stores the readings.
///
/// Where readings were judged again, alerts of the time from there on are made what they would have been: one
/// that overlaps with an episode becomes it and keeps its identity, and one that no episode is left of goes.
pub(crate) async fn apply(tx: &Tx, verdicts: &[Verdict], now: Timestamp) -> Result<(), StoreError> {
    end_silence(tx, verdicts, now).await?;
    let again: Vec<&Verdict> = verdicts
        .iter()
        .filter(|it| it.again_from.is_some())
        .collect();
    let mut stored = stored(tx, &again).await?;
    let mut changes = Changes::default();
    for verdict in verdicts {
        let known = stored.remove(&(verdict.rule, verdict.device));
        changes.plan(verdict, known.unwrap_or_default());
    }
    changes.write(tx, now).await
}

impl<'a> Changes<'a> {
    fn plan(&mut self, verdict: &'a Verdict, mut stored: Vec<Stored>) {
        let from = verdict.again_from;
        for change in &verdict.episodes {
            let known = match from {
                None => verdict.open.filter(|_| !change.is_new),
                Some(_) => take(&mut stored, change),
            };
            let (id, rule_version) =
                known.unwrap_or_else(|| (Uuid::now_v7(), verdict.rule_version));
            match known {
                Some(_) => self.known.push((id, change)),
                None => self.new.push((id, verdict, change)),
            }
            // What a new episode began with is told anew, however long ago that was.
            let since = from.map(|from| if change.is_new { earliest() } else { from });
            self.again.extend(known.map(|it| it.0).zip(since));
            let happened = |it: &Transition| Happened {
                alert: id,
                at: it.by.at,
                from: it.from,
                to: it.to,
                cause: Cause::Reading(it.by, Some(it.threshold)),
                rule_version,
            };
            self.happened
                .extend(change.transitions.iter().map(happened));
        }
        let is_gone = |it: &Stored| from.is_some_and(|from| it.triggered_at >= from);
        self.gone
            .extend(stored.iter().filter(|it| is_gone(it)).map(|it| it.id));
    }

    /// What ends is written before what begins, so that no rule ever has two open alerts on a device.
    async fn write(self, tx: &Tx, now: Timestamp) -> Result<(), StoreError> {
        if !self.gone.is_empty() {
            let statement = sqlx::query("delete from alerts where id = any($1)");
            tx.execute(statement.bind(self.gone)).await?;
        }
        let (ended, open): (Vec<_>, Vec<_>) = self
            .known
            .into_iter()
            .partition(|(_, it)| it.resolved.is_some());
        update(tx, &ended).await?;
        let (new_ended, new_open): (Vec<_>, Vec<_>) = self
            .new
            .into_iter()
            .partition(|(_, _, it)| it.resolved.is_some());
        insert(tx, &new_ended, now).await?;
        update(tx, &open).await?;
        insert(tx, &new_open, now).await?;
        if !self.again.is_empty() {
            let statement = sqlx::query(
                "delete from alert_transitions using unnest($1::uuid[], $2::timestamptz[]) as again (id, since)
                 where alert_id = again.id and cause = 'reading' and at >= again.since",
            );
            let (ids, since): (Vec<Uuid>, Vec<Timestamp>) = self.again.into_iter().unzip();
            tx.execute(statement.bind(ids).bind(since)).await?;
        }
        record(tx, &self.happened, now).await
    }
}

/// The stored alert that an episode is: that of the same beginning, or one that it overlaps with.
fn take(stored: &mut Vec<Stored>, change: &EpisodeChange) -> Option<(Uuid, i32)> {
    let begin = change.episode.triggered.at;
    let end = change.resolved.map(|it| it.at);
    let overlaps = |it: &Stored| {
        end.is_none_or(|end| it.triggered_at < end) && it.resolved_at.is_none_or(|at| begin < at)
    };
    let same = stored.iter().position(|it| it.triggered_at == begin);
    // What began before is that or nothing.
    let place = same.or_else(|| stored.iter().position(overlaps).filter(|_| change.is_new));
    let found = place.map(|place| stored.remove(place))?;
    Some((found.id, found.rule_version))
}

/// Alerts of these rules and devices that go on into the time that was judged again, oldest first.
async fn stored(
    tx: &Tx,
    again: &[&Verdict],
) -> Result<HashMap<(Uuid, Uuid), Vec<Stored>>, StoreError> {
    let mut found: HashMap<(Uuid, Uuid), Vec<Stored>> = HashMap::new();
    if again.is_empty() {
        return Ok(found);
    }
    let statement = sqlx::query(
        "select alert.rule_id, alert.device_id, alert.id, alert.triggered_at, alert.resolved_at, alert.rule_version
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as again (rule_id, device_id, since)
         join alert_rules as rule on rule.id = again.rule_id
         join alerts as alert on alert.rule_id = again.rule_id and alert.device_id = again.device_id
             and alert.kind = 'threshold' and alert.metric = rule.metric
             and (alert.resolved_at is null or alert.resolved_reason = 'recovered' and alert.resolved_at >= again.since)
         order by alert.triggered_at",
    );
    let statement = statement
        .bind(again.iter().map(|it| it.rule).collect::<Vec<_>>())
        .bind(again.iter().map(|it| it.device).collect::<Vec<_>>())
        .bind(again.iter().map(|it| it.again_from).collect::<Vec<_>>());
    for row in tx.fetch_all(statement).await? {
        let key = (row.try_get(0)?, row.try_get(1)?);
        found.entry(key).or_default().push(Stored {
            id: row.try_get(2)?,
            triggered_at: row.try_get(3)?,
            resolved_at: row.try_get(4)?,
            rule_version: row.try_get(5)?,
        });
    }
    Ok(found)
}

/// Data has come again: the alert of silence is over, whatever the data says.
async fn end_silence(tx: &Tx, verdicts: &[Verdict], now: Timestamp) -> Result<(), StoreError> {
    let silent = || verdicts.iter().filter_map(|it| it.silence);
    let ids: Vec<Uuid> = silent().map(|it| it.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "update alerts set status = 'resolved', resolved_reason = 'recovered',
             resolved_at = greatest($2, triggered_at) where id = any($1)",
    );
    tx.execute(statement.bind(ids).bind(now)).await?;
    let happened = silent().map(|(alert, rule_version, by)| Happened {
        alert,
        at: now,
        from: Phase::Firing,
        to: Phase::Ok,
        cause: Cause::Reading(by, None),
        rule_version,
    });
    record(tx, &happened.collect::<Vec<_>>(), now).await
}

async fn update(tx: &Tx, known: &[(Uuid, &EpisodeChange)]) -> Result<(), StoreError> {
    if known.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "update alerts set
             triggered_at = changed.triggered_at, value = changed.value, peak_value = changed.peak_value,
             peak_at = changed.peak_at, resolved_at = changed.resolved_at,
             status = case when changed.resolved_at is null then 'firing' else 'resolved' end,
             resolved_reason = case when changed.resolved_at is null then null else 'recovered' end
         from unnest($1::uuid[], $2::timestamptz[], $3::text[]::numeric[], $4::text[]::numeric[], $5::timestamptz[],
                     $6::timestamptz[]) as changed (id, triggered_at, value, peak_value, peak_at, resolved_at)
         where alerts.id = changed.id",
    );
    let statement = statement.bind(known.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    let statement = bind(
        statement,
        &known.iter().map(|(_, it)| *it).collect::<Vec<_>>(),
    );
    tx.execute(statement).await.map(|_| ())
}

async fn insert(
    tx: &Tx,
    new: &[(Uuid, &Verdict, &EpisodeChange)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "insert into alerts (id, rule_id, device_id, metric, comparator, threshold, clear_threshold, rule_version,
                             severity, triggered_at, value, peak_value, peak_at, resolved_at,
                             status, resolved_reason, created_at)
         select new.id, rule.id, new.device_id, rule.metric, rule.comparator, rule.threshold, rule.clear_threshold,
                rule.version, rule.severity, new.triggered_at, new.value, new.peak_value, new.peak_at, new.resolved_at,
                case when new.resolved_at is null then 'firing' else 'resolved' end,
                case when new.resolved_at is null then null else 'recovered' end, $9
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[]::numeric[],
                     $6::text[]::numeric[], $7::timestamptz[], $8::timestamptz[])
             as new (id, rule_id, device_id, triggered_at, value, peak_value, peak_at, resolved_at)
         join alert_rules as rule on rule.id = new.rule_id",
    );
    let statement = statement
        .bind(new.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, it, _)| it.rule).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, it, _)| it.device).collect::<Vec<_>>());
    let statement = bind(
        statement,
        &new.iter().map(|(_, _, it)| *it).collect::<Vec<_>>(),
    );
    tx.execute(statement.bind(now)).await.map(|_| ())
}

/// Binds when episodes triggered, their value, their peak and its time, and when they were resolved.
fn bind<'q>(
    statement: Query<'q, Postgres, PgArguments>,
    all: &[&EpisodeChange],
) -> Query<'q, Postgres, PgArguments> {
    let times =
        |at: fn(&EpisodeChange) -> Timestamp| all.iter().map(|it| at(it)).collect::<Vec<_>>();
    let values = |of: fn(&EpisodeChange) -> Measured| {
        let values = all.iter().map(|it| of(it).value.to_string());
        values.collect::<Vec<_>>()
    };
    let resolved: Vec<_> = all.iter().map(|it| it.resolved.map(|by| by.at)).collect();
    statement
        .bind(times(|it| it.episode.triggered.at))
        .bind(values(|it| it.episode.triggered))
        .bind(values(|it| it.episode.peak))
        .bind(times(|it| it.episode.peak.at))
        .bind(resolved)
}
