//! Rules that have had no reading for a while.
//!
//! Where silence matters to a rule, its state on each device has a time at which to look at it again. Readings do
//! not move it: when it comes, either there were some meanwhile and it is put off, or there was silence.

use super::transition::{Cause, Happened, Of, end_open, record};
use crate::{Db, StoreError, Tx, alert_rule};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    alert::{Phase, ResolvedReason},
    alert_rule::{AlertRuleId, NoData, NoDataAction},
    device::DeviceId,
};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

/// Most states that are looked at in one transaction.
const STEP: i64 = 50;

/// How often it is written when a reading arrived, and so how much later silence is told than it began.
pub(crate) const HEARD_EVERY: TimeDelta = TimeDelta::seconds(1);

/// Held by the one instance that looks.
const LOCK: i64 = 0x5265_6164_6f75_7406;

/// Begins to wait for readings on all devices that a rule watches, if silence matters to it.
pub(super) async fn listen(tx: &Tx, rule: AlertRuleId, now: Timestamp) -> Result<(), StoreError> {
    let otherwise = "update set check_at = $2";
    wait(tx, "rule.id = any($1)", otherwise, vec![rule.0], now).await
}

/// Begins to wait for readings of devices that are new to a fleet.
pub(crate) async fn listen_to(
    tx: &Tx,
    devices: &[DeviceId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids = devices.iter().map(|id| id.0).collect();
    wait(tx, "device.id = any($1)", "nothing", ids, now).await
}

async fn wait(
    tx: &Tx,
    of: &str,
    otherwise: &str,
    ids: Vec<Uuid>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = format!(
        "insert into alert_states (rule_id, device_id, heard_at, check_at)
         select rule.id, device.id, $2, $2 + rule.no_data_after * interval '1 second'
         from alert_rules as rule
         join devices as device on device.owner_id = rule.owner_id and device.deleted_at is null
             and (device.id = rule.device_id or rule.device_id is null and device.tags @> rule.tags)
         where {of} and rule.enabled and rule.deleted_at is null
             and rule.no_data_action in ('alert', 'resolve')
         on conflict (rule_id, device_id) do {otherwise}"
    );
    let statement = sqlx::query(AssertSqlSafe(sql));
    tx.execute(statement.bind(ids).bind(now)).await.map(|_| ())
}

/// After it has changed what a rule makes of silence: an alert of silence ends, and waiting begins anew.
pub(crate) async fn listen_again(
    tx: &Tx,
    rule: AlertRuleId,
    now: Timestamp,
) -> Result<(), StoreError> {
    end_open(tx, Of::Silence(rule), ResolvedReason::RuleChanged, now).await?;
    let statement = sqlx::query("update alert_states set check_at = null where rule_id = $1");
    tx.execute(statement.bind(rule.0)).await?;
    listen(tx, rule, now).await
}

/// A rule on a device that is due to be looked at.
struct Due {
    rule: AlertRuleId,
    rule_version: i32,
    device: DeviceId,
    /// Nothing where silence does not matter, or no longer.
    no_data: Option<NoData>,
    heard_at: Timestamp,
    is_open: bool,
}

/// Does what rules want done about silence, and answers whether there may be more.
pub async fn find_silent(db: &Db, now: Timestamp) -> Result<bool, StoreError> {
    db.transaction("alert.silence", async |tx| {
        let due = "select exists (select from alert_states where check_at <= $1)";
        if !tx.is_due(due, now, LOCK).await? {
            return Ok(false);
        }
        let due = due_now(tx, now).await?;
        for state in &due {
            look(tx, state, now).await?;
        }
        Ok(i64::try_from(due.len()) == Ok(STEP))
    })
    .await
}

/// The states that are due, of devices that nobody else holds.
async fn due_now(tx: &Tx, now: Timestamp) -> Result<Vec<Due>, StoreError> {
    let lock = sqlx::query(
        "select id from devices where id in (
             select device_id from alert_states where check_at <= $1 order by check_at limit $2)
         order by id for no key update skip locked",
    );
    let held = tx.fetch_all(lock.bind(now).bind(STEP)).await?;
    let held = held.iter().map(|row| Ok(row.try_get(0)?));
    let held: Vec<Uuid> = held.collect::<Result<_, StoreError>>()?;
    let statement = sqlx::query(
        "select state.rule_id, rule.version, state.device_id, state.heard_at, rule.no_data_after, rule.no_data_action,
                rule.enabled and rule.deleted_at is null and device.deleted_at is null
                    and (rule.device_id = device.id or rule.device_id is null and device.tags @> rule.tags),
                exists (select from alerts where alerts.rule_id = state.rule_id
                        and alerts.device_id = state.device_id and status = 'firing')
         from alert_states as state
         join alert_rules as rule on rule.id = state.rule_id
         join devices as device on device.id = state.device_id
         where state.check_at <= $1 and state.device_id = any($2) order by state.check_at limit $3",
    );
    let rows = tx
        .fetch_all(statement.bind(now).bind(held).bind(STEP))
        .await?;
    let due = |row: &sqlx::postgres::PgRow| {
        let no_data = alert_rule::no_data(row.try_get(4)?, row.try_get(5)?)?;
        let watches: Option<bool> = row.try_get(6)?;
        Ok(Due {
            rule: AlertRuleId(row.try_get(0)?),
            rule_version: row.try_get(1)?,
            device: DeviceId(row.try_get(2)?),
            heard_at: row.try_get(3)?,
            no_data: no_data.filter(|_| watches == Some(true)),
            is_open: row.try_get(7)?,
        })
    };
    rows.iter().map(due).collect()
}

/// What was heard later than now, since some clock was ahead, counts as heard now.
async fn look(tx: &Tx, state: &Due, now: Timestamp) -> Result<(), StoreError> {
    let patience = state.no_data.and_then(NoData::patience);
    let silent_at = patience.map(|it| state.heard_at.min(now) + it);
    let later = silent_at.map(|at| at + HEARD_EVERY).filter(|at| *at > now);
    let statement =
        sqlx::query("update alert_states set check_at = $3 where rule_id = $1 and device_id = $2");
    let statement = statement
        .bind(state.rule.0)
        .bind(state.device.0)
        .bind(later);
    tx.execute(statement).await?;
    let silent_at = silent_at.filter(|_| later.is_none());
    let Some((no_data, silent_at)) = state.no_data.zip(silent_at) else {
        return Ok(());
    };
    match no_data.action {
        NoDataAction::Keep => Ok(()),
        NoDataAction::Resolve => {
            let of = Of::RuleOnDevice(state.rule, state.device);
            end_open(tx, of, ResolvedReason::NoData, silent_at).await
        }
        NoDataAction::Alert if state.is_open => Ok(()),
        NoDataAction::Alert => open(tx, state, silent_at, now).await,
    }
}

/// Opens an alert of silence.
async fn open(tx: &Tx, state: &Due, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let id = Uuid::now_v7();
    let statement = sqlx::query(
        "insert into alerts (id, rule_id, device_id, kind, metric, comparator, threshold, clear_threshold,
                             rule_version, severity, status, triggered_at, created_at)
         select $1, id, $3, 'no_data', metric, comparator, threshold, clear_threshold, version, severity, 'firing', $4, $5
         from alert_rules where id = $2",
    );
    let statement = statement
        .bind(id)
        .bind(state.rule.0)
        .bind(state.device.0)
        .bind(at)
        .bind(now);
    tx.execute(statement).await?;
    let happened = Happened {
        alert: id,
        at,
        from: Phase::Ok,
        to: Phase::Firing,
        cause: Cause::Else(ResolvedReason::NoData),
        rule_version: state.rule_version,
    };
    record(tx, &[happened], now).await
}
