//! Where each rule stands on each device: rows of `alert_states`.

use super::{silence, transition};
use crate::{StoreError, Tx, reading};
use domain::{
    Timestamp,
    alert::{Checkpoint, Episode, Measured, Progress, ResolvedReason, State},
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

/// Checkpoints: microseconds since 1970, and a state.
type KeptCheckpoints = Json<Vec<(i64, Kept)>>;

/// Reads `evaluated_until`, `head` and `checkpoints` from this column on; none of a rule that has judged nothing yet.
pub(crate) fn progress(row: &PgRow, place: usize) -> Result<Option<Progress>, StoreError> {
    let kept: Option<KeptCheckpoints> = row.try_get(place + 2)?;
    let Some(Json(kept)) = kept else {
        return Ok(None);
    };
    let checkpoint = |(before, state)| {
        let before = Timestamp::from_timestamp_micros(before);
        Ok::<_, StoreError>(Checkpoint {
            before: before.ok_or_else(|| StoreError::corrupt("alert_states", "no time"))?,
            state: State::try_from(state)?,
        })
    };
    let Json(head): Json<Kept> = row.try_get(place + 1)?;
    Ok(Some(Progress {
        newest: row.try_get(place)?,
        head: head.try_into()?,
        checkpoints: kept.into_iter().map(checkpoint).collect::<Result<_, _>>()?,
    }))
}

fn kept_checkpoints(progress: &Progress) -> KeptCheckpoints {
    let all = progress.checkpoints.iter();
    Json(
        all.map(|it| (it.before.timestamp_micros(), it.state.into()))
            .collect(),
    )
}

/// How far a rule has come on a device.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) rule: Uuid,
    pub(crate) device: Uuid,
    pub(crate) progress: Progress,
    /// When to look whether data has stopped, if nobody is to look already.
    pub(crate) check_at: Option<Timestamp>,
}

/// Keeps how far rules have come, and that readings arrived now.
pub(crate) async fn keep(tx: &Tx, all: &[Standing], now: Timestamp) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "insert into alert_states as known
             (rule_id, device_id, evaluated_until, head, checkpoints, check_at, heard_at)
         select new.*, $7
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::jsonb[], $5::jsonb[], $6::timestamptz[])
             as new
         on conflict (rule_id, device_id) do update set
             evaluated_until = excluded.evaluated_until, head = excluded.head,
             checkpoints = excluded.checkpoints, heard_at = excluded.heard_at,
             check_at = coalesce(known.check_at, excluded.check_at)",
    );
    let rules: Vec<Uuid> = all.iter().map(|it| it.rule).collect();
    let devices: Vec<Uuid> = all.iter().map(|it| it.device).collect();
    let newest: Vec<_> = all.iter().map(|it| it.progress.newest).collect();
    let head: Vec<Json<Kept>> = all.iter().map(|it| Json(it.progress.head.into())).collect();
    let checkpoints: Vec<_> = all
        .iter()
        .map(|it| kept_checkpoints(&it.progress))
        .collect();
    let check_at: Vec<_> = all.iter().map(|it| it.check_at).collect();
    let statement = statement
        .bind(rules)
        .bind(devices)
        .bind(newest)
        .bind(head)
        .bind(checkpoints)
        .bind(check_at)
        .bind(now);
    tx.execute(statement).await.map(|_| ())
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

/// After a device's tags changed, or it was provisioned: rules of fleets that it has left end their alerts on it and
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
    silence::listen_to(tx, device, now).await
}
