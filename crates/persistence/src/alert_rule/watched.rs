//! The devices that a rule watches, held while it changes.
//!
//! The owner first, so that no device joins or leaves a fleet meanwhile; then the devices in the order of their
//! identifiers, as ingest does.

use super::{owned, row};
use crate::{StoreError, Tx, device, session::OwnerId};
use domain::alert_rule::{AlertRule, AlertRuleChange, AlertRuleId, Target};
use sea_orm::{
    ColumnTrait, QueryFilter,
    prelude::Json,
    sea_query::{Expr, extension::postgres::PgExpr},
};

/// A rule whose devices are held.
pub(super) struct Watched {
    pub(super) row: row::Model,
    pub(super) rule: AlertRule,
}

/// Whether a rule of a fleet chooses a device with these tags.
pub(super) fn is_chosen(tags: Json) -> Expr {
    Expr::val(tags).contains(Expr::col((row::Entity, row::Column::Tags)))
}

/// Holds the devices of a rule, and of what it is to watch with a change made to it; then reads the rule as it is now.
pub(super) async fn find(
    tx: &Tx,
    owner: OwnerId,
    id: AlertRuleId,
    change: Option<&AlertRuleChange>,
) -> Result<Option<Watched>, StoreError> {
    let rule = |()| owned(owner).filter(row::Column::Id.eq(id.0)).one(tx);
    let Some(found) = rule(()).await? else {
        return Ok(None);
    };
    let mut before = AlertRule::try_from(found)?;
    if before.target.device().is_none() {
        // Whom it watches is read only when nobody else can change it.
        device::lock_fleets(tx, owner).await?;
        let Some(row) = rule(()).await? else {
            return Ok(None);
        };
        before = AlertRule::try_from(row)?;
    }
    // What cannot be changed that way is refused later.
    let instead = change.and_then(|it| it.target(&before.target).ok());
    let targets: Vec<&Target> = std::iter::once(&before.target).chain(&instead).collect();
    lock(tx, owner, &targets).await?;
    let Some(row) = rule(()).await? else {
        return Ok(None);
    };
    let rule = AlertRule::try_from(row.clone())?;
    Ok(Some(Watched { row, rule }))
}

/// Holds devices, and answers whether the owner has the one that is named.
pub(super) async fn lock(tx: &Tx, owner: OwnerId, targets: &[&Target]) -> Result<bool, StoreError> {
    for target in targets {
        if let Target::Device(id) = target
            && device::lock(tx, owner, *id).await?.is_none()
        {
            return Ok(false);
        }
    }
    let fleets: Vec<Json> = targets
        .iter()
        .filter_map(|it| it.selector())
        .map(|it| it.tags().clone().into_value())
        .collect();
    if !fleets.is_empty() {
        device::lock_fleets(tx, owner).await?;
        let statement = sqlx::query(
            "select count(*) from (
                 select id from devices where owner_id = $1 and deleted_at is null and tags @> any($2::jsonb[])
                 order by id for no key update) as fleet",
        );
        tx.execute(statement.bind(owner.uuid()).bind(fleets))
            .await?;
    }
    Ok(true)
}
