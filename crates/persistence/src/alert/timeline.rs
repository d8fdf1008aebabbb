//! What happened to an alert.

use super::{owned, row};
use crate::{Db, StoreError, reading, session::OwnerId, word};
use domain::{
    Timestamp,
    alert::{AlertId, Phase, TimelineEntry, TransitionCause},
    decimal::ExactDecimal,
    page::{Cursor, Page, PageLimit},
};
use sea_orm::{ColumnTrait, QueryFilter};
use sqlx::{Row as _, postgres::PgRow};

/// Where a page of a timeline begins: after this time, and numbers of the same time.
pub type TimelineKey = (Timestamp, i64);

/// What happened to an alert, in order; none where the owner has no such alert.
pub async fn timeline(
    db: &Db,
    owner: OwnerId,
    id: AlertId,
    after: Option<Cursor<TimelineKey>>,
    limit: PageLimit,
) -> Result<Option<Page<TimelineEntry, TimelineKey>>, StoreError> {
    db.transaction("alert.timeline", async |tx| {
        let alert = owned(owner)
            .filter(row::Column::Id.eq(id.0))
            .one(tx)
            .await?;
        if alert.is_none() {
            return Ok(None);
        }
        let key = after.map(|Cursor(key)| key);
        let statement = sqlx::query(
            "select id, at, from_phase, to_phase, cause, value::text, threshold::text, rule_version
             from alert_transitions
             where alert_id = $1 and ($2::timestamptz is null or (at, id) > ($2, $3))
             order by at, id limit $4",
        );
        let statement = statement
            .bind(id.0)
            .bind(key.map(|key| key.0))
            .bind(key.map(|key| key.1))
            .bind(i64::from(limit.get()) + 1);
        let rows = tx.fetch_all(statement).await?;
        let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Page::cut(entries, limit, |it| (it.at, it.id))))
    })
    .await
}

fn entry(row: &PgRow) -> Result<TimelineEntry, StoreError> {
    let phase = |place: usize| {
        let text = row.try_get(place)?;
        word::parse("alert_transitions.phase", &Phase::ALL, Phase::as_str, text)
    };
    let number = |place: usize| {
        let text: Option<&str> = row.try_get(place)?;
        text.map(reading::value).transpose() as Result<Option<ExactDecimal>, StoreError>
    };
    Ok(TimelineEntry {
        id: row.try_get(0)?,
        at: row.try_get(1)?,
        from: phase(2)?,
        to: phase(3)?,
        cause: word::parse(
            "alert_transitions.cause",
            &TransitionCause::ALL,
            TransitionCause::as_str,
            row.try_get(4)?,
        )?,
        value: number(5)?,
        threshold: number(6)?,
        rule_version: row.try_get(7)?,
    })
}
