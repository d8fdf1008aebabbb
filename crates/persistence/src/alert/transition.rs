//! The only two statements that begin, worsen or end alerts.

use crate::{StoreError, Tx};
use domain::{
    Timestamp,
    alert::{Episode, ResolvedReason},
    alert_rule::{AlertRule, AlertRuleId},
    device::DeviceId,
};
use uuid::Uuid;

/// An episode that began, got worse or ended, under the rule that it belongs to.
pub(crate) type Transition<'a> = (&'a AlertRule, Episode);

/// Stores what evaluating rules came to, within the transaction that stores the readings.
///
/// Known episodes are updated before new ones are inserted, so that a rule that resolves and fires
/// again in one batch never has two open alerts.
pub(crate) async fn apply(
    tx: &Tx,
    transitions: &[Transition<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let known: Vec<_> = transitions
        .iter()
        .filter_map(|(_, episode)| Some((episode.alert_id?, episode)))
        .collect();
    if !known.is_empty() {
        let statement = sqlx::query(
            "update alerts set
                 peak_value = changed.peak_value,
                 resolved_at = changed.resolved_at,
                 status = case when changed.resolved_at is null then 'firing' else 'resolved' end,
                 resolved_reason = case when changed.resolved_at is null then null else $4 end
             from unnest($1::uuid[], $2::text[]::numeric[], $3::timestamptz[])
                 as changed (id, peak_value, resolved_at)
             where alerts.id = changed.id and alerts.status = 'firing'",
        );
        let statement = statement
            .bind(known.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
            .bind(
                known
                    .iter()
                    .map(|(_, it)| it.peak_value.to_string())
                    .collect::<Vec<_>>(),
            )
            .bind(
                known
                    .iter()
                    .map(|(_, it)| it.resolved_at)
                    .collect::<Vec<_>>(),
            )
            .bind(ResolvedReason::Recovered.as_str());
        tx.execute(statement).await?;
    }
    let new: Vec<_> = transitions
        .iter()
        .filter(|(_, episode)| episode.alert_id.is_none())
        .collect();
    if new.is_empty() {
        Ok(())
    } else {
        insert(tx, &new, now).await
    }
}

async fn insert(tx: &Tx, new: &[&Transition<'_>], now: Timestamp) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "insert into alerts (id, rule_id, device_id, metric, comparator, threshold, rule_version,
                             severity, triggered_at, value, peak_value, resolved_at,
                             status, resolved_reason, created_at)
         select new.id, rule.id, rule.device_id, rule.metric, rule.comparator, rule.threshold, rule.version,
                rule.severity, new.triggered_at, new.value, new.peak_value, new.resolved_at,
                case when new.resolved_at is null then 'firing' else 'resolved' end,
                case when new.resolved_at is null then null else $7 end, $8
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]::numeric[], $5::text[]::numeric[], $6::timestamptz[])
             as new (id, rule_id, triggered_at, value, peak_value, resolved_at)
         join alert_rules as rule on rule.id = new.rule_id",
    );
    let ids: Vec<_> = new.iter().map(|_| Uuid::now_v7()).collect();
    let statement = statement
        .bind(ids)
        .bind(new.iter().map(|(rule, _)| rule.id.0).collect::<Vec<_>>())
        .bind(
            new.iter()
                .map(|(_, it)| it.triggered_at)
                .collect::<Vec<_>>(),
        )
        .bind(
            new.iter()
                .map(|(_, it)| it.value.to_string())
                .collect::<Vec<_>>(),
        )
        .bind(
            new.iter()
                .map(|(_, it)| it.peak_value.to_string())
                .collect::<Vec<_>>(),
        )
        .bind(new.iter().map(|(_, it)| it.resolved_at).collect::<Vec<_>>())
        .bind(ResolvedReason::Recovered.as_str())
        .bind(now);
    tx.execute(statement).await.map(|_| ())
}

/// Whose open alerts end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// Those of all rules of a device.
    Device(DeviceId),
    /// That of one rule.
    Rule(AlertRuleId),
}

/// Ends open alerts for a reason other than a reading, at `now`, or when they were triggered where
/// the device's clock is ahead. The caller holds the lock of the device.
pub(crate) async fn end_open(
    tx: &Tx,
    of: Of,
    reason: ResolvedReason,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (column, id) = match of {
        Of::Device(id) => ("device_id", id.0),
        Of::Rule(id) => ("rule_id", id.0),
    };
    let sql = format!(
        "update alerts set status = 'resolved', resolved_reason = $2, resolved_at = greatest($3, triggered_at)
         where status = 'firing' and {column} = $1"
    );
    let statement = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .bind(reason.as_str());
    tx.execute(statement.bind(now)).await.map(|_| ())
}
