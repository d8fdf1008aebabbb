//! Where each rule stands on each device: rows of `alert_states`.

use super::{silence, transition};
use crate::{StoreError, Tx, reading};
use domain::{
    Timestamp,
    alert::{Episode, Measured, ResolvedReason, State, Stretch},
    alert_rule::AlertRuleId,
    device::DeviceId,
};
use serde::{Deserialize, Serialize};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

/// A state as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
enum Kept {
    Ok,
    Pending {
        began: Point,
        peak: Point,
    },
    Firing {
        began: Point,
        triggered: Point,
        peak: Point,
    },
    Recovering {
        began: Point,
        triggered: Point,
        peak: Point,
        since: Point,
    },
}

/// Microseconds since 1970, and a value.
type Point = (i64, String);

fn point(it: Measured) -> Point {
    (it.at.timestamp_micros(), it.value.to_string())
}

fn measured((at, value): &Point) -> Result<Measured, StoreError> {
    let at = Timestamp::from_timestamp_micros(*at);
    Ok(Measured {
        at: at.ok_or_else(|| StoreError::corrupt("alert_states", "no time"))?,
        value: reading::value(value)?,
    })
}

impl From<State> for Kept {
    fn from(state: State) -> Self {
        match state {
            State::Ok => Self::Ok,
            State::Pending { began, peak } => Self::Pending {
                began: point(began),
                peak: point(peak),
            },
            State::Firing(it) => Self::Firing {
                began: point(it.began),
                triggered: point(it.triggered),
                peak: point(it.peak),
            },
            State::Recovering { episode: it, since } => Self::Recovering {
                began: point(it.began),
                triggered: point(it.triggered),
                peak: point(it.peak),
                since: point(since),
            },
        }
    }
}

impl TryFrom<Kept> for State {
    type Error = StoreError;

    fn try_from(kept: Kept) -> Result<Self, StoreError> {
        let episode = |began, triggered, peak| {
            Ok::<_, StoreError>(Episode {
                began: measured(began)?,
                triggered: measured(triggered)?,
                peak: measured(peak)?,
            })
        };
        Ok(match &kept {
            Kept::Ok => Self::Ok,
            Kept::Pending { began, peak } => Self::Pending {
                began: measured(began)?,
                peak: measured(peak)?,
            },
            Kept::Firing {
                began,
                triggered,
                peak,
            } => Self::Firing(episode(began, triggered, peak)?),
            Kept::Recovering {
                began,
                triggered,
                peak,
                since,
            } => Self::Recovering {
                episode: episode(began, triggered, peak)?,
                since: measured(since)?,
            },
        })
    }
}

/// Stretches: from and until in microseconds since 1970, and a state.
type KeptStretches = Json<Vec<(i64, Option<i64>, Kept)>>;

/// Reads `stretches`; none of a rule that has judged nothing yet.
pub(crate) fn stretches(row: &PgRow, place: usize) -> Result<Option<Vec<Stretch>>, StoreError> {
    let kept: Option<KeptStretches> = row.try_get(place)?;
    let time = |micros| {
        let time = Timestamp::from_timestamp_micros(micros);
        time.ok_or_else(|| StoreError::corrupt("alert_states", "no time"))
    };
    let stretch = |(from, until, state): (_, Option<i64>, _)| {
        Ok(Stretch {
            from: time(from)?,
            until: until.map(time).transpose()?,
            state: State::try_from(state)?,
        })
    };
    kept.map(|Json(kept)| kept.into_iter().map(stretch).collect())
        .transpose()
}

fn kept(stretches: &[Stretch]) -> KeptStretches {
    let one = |it: &Stretch| {
        let until = it.until.map(|at| at.timestamp_micros());
        (it.from.timestamp_micros(), until, it.state.into())
    };
    Json(stretches.iter().map(one).collect())
}

/// How far a rule has come on a device.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) rule: Uuid,
    pub(crate) device: Uuid,
    pub(crate) stretches: Vec<Stretch>,
    /// When to look whether data has stopped, if nobody is to look already.
    pub(crate) check_at: Option<Timestamp>,
}

/// Keeps how far rules have come, and that readings arrived now.
pub(crate) async fn keep(tx: &Tx, all: &[Standing], now: Timestamp) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "insert into alert_states as known (rule_id, device_id, stretches, check_at, heard_at)
         select new.*, $5 from unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::timestamptz[]) as new
         on conflict (rule_id, device_id) do update set
             stretches = excluded.stretches, heard_at = excluded.heard_at,
             check_at = coalesce(known.check_at, excluded.check_at)",
    );
    let rules: Vec<Uuid> = all.iter().map(|it| it.rule).collect();
    let devices: Vec<Uuid> = all.iter().map(|it| it.device).collect();
    let stretches: Vec<_> = all.iter().map(|it| kept(&it.stretches)).collect();
    let check_at: Vec<_> = all.iter().map(|it| it.check_at).collect();
    let statement = statement.bind(rules).bind(devices).bind(stretches);
    tx.execute(statement.bind(check_at).bind(now))
        .await
        .map(|_| ())
}

/// Has a rule judge what is measured after the newest reading that is there when the next one comes.
///
/// Whether it is new, has another condition, or is armed again: a reading that arrives late tells of a time
/// before, and the past is not rewritten.
pub(crate) async fn begin_judging(
    tx: &Tx,
    rule: AlertRuleId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let forget = sqlx::query("delete from alert_states where rule_id = $1");
    tx.execute(forget.bind(rule.0)).await?;
    silence::listen(tx, rule, now).await
}

/// After a device's tags changed: rules of fleets that it has left end their alerts on it and
/// forget it, and those of fleets that it has joined wait for it.
pub(crate) async fn follow_tags(
    tx: &Tx,
    device: DeviceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let of = transition::Of::LeftFleets(device);
    transition::end_open(tx, of, ResolvedReason::RuleChanged, now).await?;
    let forget = sqlx::query(
        "delete from alert_states using alert_rules as rule, devices as device
         where alert_states.device_id = $1 and device.id = $1 and rule.id = alert_states.rule_id
             and rule.device_id is null and not device.tags @> rule.tags",
    );
    tx.execute(forget.bind(device.0)).await?;
    silence::listen_to(tx, &[device], now).await
}
