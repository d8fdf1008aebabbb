//! Step 3: the rules of the devices judge what was stored, and alerts follow.

use super::group::{Group, Row};
use crate::{StoreError, Tx, alert, alert_rule, reading};
use domain::{
    Timestamp,
    alert::{AlertId, Episode, RuleState, evaluate},
    alert_rule::{AlertRule, AlertRuleId},
    decimal::ExactDecimal,
    device::DeviceId,
    reading::Outcome,
};
use sqlx::{Row as _, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

/// New readings of each device and metric.
type Fresh<'a> = HashMap<(Uuid, &'a str), Vec<(Timestamp, ExactDecimal)>>;

/// Evaluates every armed rule of these devices whose metric has new readings, and stores what that
/// came to.
///
/// A duplicate was judged when it was first stored, and a conflict is not stored at all.
pub(super) async fn judge(
    tx: &Tx,
    group: &Group,
    armed: &[Uuid],
    outcomes: &[Outcome],
    now: Timestamp,
) -> Result<(), StoreError> {
    let fresh = fresh(group, armed, outcomes);
    if fresh.is_empty() {
        return Ok(());
    }
    let rules = armed_rules(tx, &fresh).await?;
    let mut transitions = Vec::new();
    let mut states = Vec::new();
    for (rule, state) in &rules {
        let Some(readings) = fresh.get(&(rule.device_id.0, rule.metric.as_str())) else {
            continue;
        };
        let evaluation = evaluate(rule, *state, readings);
        transitions.extend(
            evaluation
                .changed
                .into_iter()
                .map(|episode| (rule, episode)),
        );
        if evaluation.state.evaluated_until != state.evaluated_until {
            states.extend(evaluation.state.evaluated_until.map(|until| (rule, until)));
        }
    }
    if !transitions.is_empty() {
        alert::apply(tx, &transitions, now).await?;
    }
    store_states(tx, &states).await
}

fn fresh<'a>(group: &'a Group, armed: &[Uuid], outcomes: &[Outcome]) -> Fresh<'a> {
    let mut fresh: Fresh<'a> = HashMap::new();
    let created = group
        .rows
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| **outcome == Outcome::Created);
    for Row {
        series_id,
        recorded_at,
        value,
    } in created.filter_map(|(row, _)| row.as_ref())
    {
        if let Some(series) = group.series.get(series_id)
            && armed.binary_search(&series.device).is_ok()
        {
            let readings = fresh
                .entry((series.device, series.metric.as_str()))
                .or_default();
            readings.push((*recorded_at, *value));
        }
    }
    fresh
}

/// The armed rules of these devices and metrics, each with how far it has judged and its open alert.
async fn armed_rules(
    tx: &Tx,
    fresh: &Fresh<'_>,
) -> Result<Vec<(AlertRule, RuleState)>, StoreError> {
    let (devices, metrics): (Vec<Uuid>, Vec<&str>) = fresh.keys().copied().unzip();
    let statement = sqlx::query(
        "select rule.id, rule.device_id, rule.name, rule.metric, rule.comparator, rule.threshold::text,
                rule.severity, rule.version, rule.created_at, rule.updated_at,
                state.evaluated_until, alert.id, alert.triggered_at, alert.value::text, alert.peak_value::text
         from unnest($1::uuid[], $2::text[]) as fresh (device_id, metric)
         join alert_rules as rule on rule.device_id = fresh.device_id and rule.metric = fresh.metric
             and rule.enabled and rule.deleted_at is null
         left join alert_states as state on state.rule_id = rule.id and state.device_id = rule.device_id
         left join alerts as alert on alert.rule_id = rule.id and alert.status = 'firing'",
    );
    let rows = tx.fetch_all(statement.bind(devices).bind(metrics)).await?;
    rows.iter()
        .map(|row| Ok((rule(row)?, state(row)?)))
        .collect()
}

fn rule(row: &PgRow) -> Result<AlertRule, StoreError> {
    Ok(AlertRule {
        id: AlertRuleId(row.try_get(0)?),
        device_id: DeviceId(row.try_get(1)?),
        name: row.try_get(2)?,
        metric: reading::metric(row.try_get(3)?)?,
        comparator: alert_rule::parse_comparator(row.try_get(4)?)?,
        threshold: reading::value(row.try_get(5)?)?,
        severity: alert_rule::parse_severity(row.try_get(6)?)?,
        enabled: true,
        version: row.try_get(7)?,
        created_at: row.try_get(8)?,
        updated_at: row.try_get(9)?,
    })
}

fn state(row: &PgRow) -> Result<RuleState, StoreError> {
    let alert: Option<Uuid> = row.try_get(11)?;
    let open = match alert {
        None => None,
        Some(id) => Some(Episode {
            alert_id: Some(AlertId(id)),
            triggered_at: row.try_get(12)?,
            resolved_at: None,
            value: reading::value(row.try_get(13)?)?,
            peak_value: reading::value(row.try_get(14)?)?,
        }),
    };
    Ok(RuleState {
        evaluated_until: row.try_get(10)?,
        open,
    })
}

async fn store_states(tx: &Tx, states: &[(&AlertRule, Timestamp)]) -> Result<(), StoreError> {
    if states.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "insert into alert_states (rule_id, device_id, evaluated_until)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
         on conflict (rule_id, device_id) do update set evaluated_until = excluded.evaluated_until",
    );
    let rules: Vec<Uuid> = states.iter().map(|(rule, _)| rule.id.0).collect();
    let devices: Vec<Uuid> = states.iter().map(|(rule, _)| rule.device_id.0).collect();
    let until: Vec<Timestamp> = states.iter().map(|(_, until)| *until).collect();
    tx.execute(statement.bind(rules).bind(devices).bind(until))
        .await
        .map(|_| ())
}
