//! Why readings are not stored: counted in memory, written once in a while, read by the owner.

mod collect;

pub use collect::{Refused, Rejections};

use crate::{Db, StoreError, device, session::OwnerId};
use domain::{device::DeviceId, rejection::Rejection};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};

pub(crate) mod row {
    //! Rows of `rejections`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rejections")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub device_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub code: String,
        pub count: i64,
        pub first_seen_at: DateTimeUtc,
        pub last_seen_at: DateTimeUtc,
        pub detail: String,
        pub sample: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::device::row::Entity",
            from = "Column::DeviceId",
            to = "crate::device::row::Column::Id"
        )]
        Device,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Rejection {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            code: row.code,
            count: u64::try_from(row.count)
                .map_err(|error| StoreError::corrupt("rejections.count", error))?,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            detail: row.detail,
            sample: row.sample,
        })
    }
}

/// What a device was refused, newest first, one for each code; none where the owner has no such
/// device.
pub async fn list(
    db: &Db,
    owner: OwnerId,
    device: DeviceId,
) -> Result<Option<Vec<Rejection>>, StoreError> {
    db.transaction("rejection.list", async |tx| {
        if !device::exists(tx, owner, device).await? {
            return Ok(None);
        }
        let rows = row::Entity::find()
            .join(JoinType::InnerJoin, row::Relation::Device.def())
            .filter(device::row::Column::OwnerId.eq(owner.uuid()))
            .filter(row::Column::DeviceId.eq(device.0))
            .order_by_desc(row::Column::LastSeenAt)
            .order_by_asc(row::Column::Code)
            .all(tx)
            .await?;
        let rejections = rows.into_iter().map(Rejection::try_from);
        rejections.collect::<Result<_, _>>().map(Some)
    })
    .await
}
