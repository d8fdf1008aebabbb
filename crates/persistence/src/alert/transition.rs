//! The one way in which alerts begin, change and end.
//!
//! Whatever happens to an alert passes through [`record`], in the transaction in which it happens: whoever is to
//! be told of it can be told from there.

use crate::{StoreError, Tx};
use domain::{
    Timestamp,
    alert::{Measured, Phase, ResolvedReason},
    alert_rule::AlertRuleId,
    decimal::ExactDecimal,
    device::DeviceId,
};
use sqlx::Row as _;
use uuid::Uuid;

/// What made an alert go from one phase to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A reading, and what it was compared with; nothing where any reading would have done.
    Reading(Measured, Option<ExactDecimal>),
    /// Something else.
    Else(ResolvedReason),
}

/// Something that happened to an alert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happened {
    pub(crate) alert: Uuid,
    /// By the clock of whatever caused it.
    pub(crate) at: Timestamp,
    pub(crate) from: Phase,
    pub(crate) to: Phase,
    pub(crate) cause: Cause,
    pub(crate) rule_version: i32,
}

/// Keeps what happened for the timelines of alerts.
pub(crate) async fn record(tx: &Tx, all: &[Happened], now: Timestamp) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "insert into alert_transitions
             (alert_id, at, from_phase, to_phase, cause, value, threshold, rule_version, created_at)
         select alert_id, at, from_phase, to_phase, cause, value::numeric, threshold::numeric, rule_version, $9
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[])
             with ordinality as new
             (alert_id, at, from_phase, to_phase, cause, value, threshold, rule_version, place)
         order by place",
    );
    let cause = |it: &Happened| match it.cause {
        Cause::Reading(..) => "reading",
        Cause::Else(reason) => reason.as_str(),
    };
    let numbers = |it: &Happened| match it.cause {
        Cause::Reading(by, threshold) => (Some(by.value), threshold),
        Cause::Else(_) => (None, None),
    };
    let text = |number: Option<ExactDecimal>| number.map(|it| it.to_string());
    let (values, thresholds): (Vec<_>, Vec<_>) = all
        .iter()
        .map(numbers)
        .map(|(value, threshold)| (text(value), text(threshold)))
        .unzip();
    let statement = statement
        .bind(all.iter().map(|it| it.alert).collect::<Vec<_>>())
        .bind(all.iter().map(|it| it.at).collect::<Vec<_>>())
        .bind(all.iter().map(|it| it.from.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|it| it.to.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(cause).collect::<Vec<_>>())
        .bind(values)
        .bind(thresholds)
        .bind(all.iter().map(|it| it.rule_version).collect::<Vec<_>>())
        .bind(now);
    tx.execute(statement).await.map(|_| ())
}

/// Whose open alerts end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// Those of all rules of a device.
    Device(DeviceId),
    /// Those of a rule on all its devices.
    Rule(AlertRuleId),
    /// Those of a rule that tell of silence.
    Silence(AlertRuleId),
    /// That of a rule on a device.
    RuleOnDevice(AlertRuleId, DeviceId),
    /// Those of rules that watch a fleet which the device has left.
    LeftFleets(DeviceId),
}

/// Ends open alerts for a reason other than a reading, at `now`, or when they were triggered where the device's
/// clock is ahead, and has their rules judge only what is measured later. The caller holds the locks of the
/// devices.
pub(crate) async fn end_open(
    tx: &Tx,
    of: Of,
    reason: ResolvedReason,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (which, first, second) = match of {
        Of::Device(id) => ("device_id = $1 and $2 = $1", id.0, id.0),
        Of::Rule(id) => ("rule_id = $1 and $2 = $1", id.0, id.0),
        Of::Silence(id) => ("rule_id = $1 and $2 = $1 and kind = 'no_data'", id.0, id.0),
        Of::RuleOnDevice(rule, device) => ("rule_id = $1 and device_id = $2", rule.0, device.0),
        Of::LeftFleets(id) => (
            "device_id = $1 and $2 = $1 and rule_id in (
                 select rule.id from alert_rules as rule join devices on devices.id = $1
                 where rule.owner_id = devices.owner_id and rule.device_id is null and not devices.tags @> rule.tags)",
            id.0,
            id.0,
        ),
    };
    let sql = format!(
        "update alerts set status = 'resolved', resolved_reason = $3, resolved_at = greatest($4, triggered_at)
         where status = 'firing' and {which}
         returning id, resolved_at, rule_version, rule_id, device_id, exists (
             select from alert_states as state where state.rule_id = alerts.rule_id
             and state.device_id = alerts.device_id and stretches -> -1 -> 2 ->> 'phase' = 'recovering')"
    );
    let statement = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(first)
        .bind(second)
        .bind(reason.as_str())
        .bind(now);
    let rows = tx.fetch_all(statement).await?;
    let (mut happened, mut rules, mut devices) =
        (Vec::new(), Vec::<Uuid>::new(), Vec::<Uuid>::new());
    for row in &rows {
        let is_recovering: bool = row.try_get(5)?;
        happened.push(Happened {
            alert: row.try_get(0)?,
            at: row.try_get(1)?,
            from: if is_recovering {
                Phase::Recovering
            } else {
                Phase::Firing
            },
            to: Phase::Ok,
            cause: Cause::Else(reason),
            rule_version: row.try_get(2)?,
        });
        rules.push(row.try_get(3)?);
        devices.push(row.try_get(4)?);
    }
    record(tx, &happened, now).await?;
    begin_again(tx, &rules, &devices).await
}

/// Has rules on devices judge what is measured after the newest reading that they know.
async fn begin_again(tx: &Tx, rules: &[Uuid], devices: &[Uuid]) -> Result<(), StoreError> {
    if rules.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        r#"update alert_states set stretches = jsonb_build_array(jsonb_build_array(
               (extract(epoch from newest.recorded_at) * 1000000)::bigint + 1, null, '{"phase": "ok"}'::jsonb))
           from unnest($1::uuid[], $2::uuid[]) as ended (rule_id, device_id)
           join alert_rules as rule on rule.id = ended.rule_id
           join series on series.device_id = ended.device_id and series.metric = rule.metric
           cross join lateral (
               select recorded_at from samples where series_id = series.id
               order by recorded_at desc limit 1) as newest
           where alert_states.rule_id = ended.rule_id and alert_states.device_id = ended.device_id
             and stretches is not null"#,
    );
    tx.execute(statement.bind(rules.to_vec()).bind(devices.to_vec()))
        .await
        .map(|_| ())
}
