//! API keys of a user, and the proof that one is.

use crate::{
    Db, StoreError, Tx,
    idempotency::{Once, Outcome},
    session::OwnerId,
};
use domain::{
    Timestamp,
    api_key::{
        ApiKey, ApiKeyHash, ApiKeyId, ApiKeyToken, MAX_API_KEYS, NewApiKey, Scopes, TooManyApiKeys,
    },
    user::{DisplayName, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Select,
};
use uuid::Uuid;

mod row {
    //! Rows of `api_keys`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Uuid,
        pub name: String,
        pub key_hash: String,
        pub key_prefix: String,
        pub scopes: String,
        pub created_at: DateTimeUtc,
        pub last_used_at: Option<DateTimeUtc>,
        pub expires_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a key that is good proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Identifies the key.
    pub id: ApiKeyId,
    /// Whose data it opens.
    pub owner: OwnerId,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

fn scopes(text: &str) -> Result<Scopes, StoreError> {
    Scopes::parse(text).map_err(|error| StoreError::corrupt("api_keys.scopes", error))
}

impl TryFrom<row::Model> for ApiKey {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let name = DisplayName::try_from(row.name);
        Ok(Self {
            id: ApiKeyId(row.id),
            name: name.map_err(|error| StoreError::corrupt("api_keys.name", error))?,
            key_prefix: row.key_prefix,
            scopes: scopes(&row.scopes)?,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        })
    }
}

fn owned(owner: OwnerId) -> Select<row::Entity> {
    row::Entity::find().filter(row::Column::UserId.eq(owner.uuid()))
}

/// Stores a key, unless its user has too many.
pub async fn insert(
    db: &Db,
    owner: OwnerId,
    (new, expires_at): (&NewApiKey, Option<Timestamp>),
    token: &ApiKeyToken,
    once: &Once<'_, ApiKey>,
    now: Timestamp,
) -> Result<Outcome<Result<ApiKey, TooManyApiKeys>>, StoreError> {
    let work = async |tx: &Tx| {
        // One at a time, so that two which count at once do not both find room for the last one.
        let lock = sqlx::query("select from users where id = $1 for no key update");
        tx.execute(lock.bind(owner.uuid())).await?;
        if owned(owner).count(tx).await? >= MAX_API_KEYS {
            return Ok(Err(TooManyApiKeys));
        }
        let key = row::ActiveModel {
            id: Set(Uuid::now_v7()),
            user_id: Set(owner.uuid()),
            name: Set(new.name.clone().into()),
            key_hash: Set(token.hash().to_hex()),
            key_prefix: Set(token.prefix().to_owned()),
            scopes: Set(new.scopes.to_string()),
            created_at: Set(now),
            last_used_at: Set(None),
            expires_at: Set(expires_at),
        };
        ApiKey::try_from(key.insert(tx).await?).map(Ok)
    };
    once.run((db, "api_key.insert"), (owner, now), work).await
}

/// Ends all keys of a user as part of a larger transaction, and answers which.
pub(crate) async fn delete_all_in(tx: &Tx, user: UserId) -> Result<Vec<ApiKeyId>, StoreError> {
    let statement = sqlx::query("delete from api_keys where user_id = $1 returning id");
    let rows = tx.fetch_all(statement.bind(user.0)).await?;
    let ids = rows
        .iter()
        .map(|row| Ok(ApiKeyId(sqlx::Row::try_get(row, 0)?)));
    ids.collect()
}

/// All keys of a user, in the order of making.
pub async fn list(db: &Db, owner: OwnerId) -> Result<Vec<ApiKey>, StoreError> {
    db.transaction("api_key.list", async |tx| {
        let rows = owned(owner).order_by_asc(row::Column::Id).all(tx).await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    })
    .await
}

/// One key.
pub async fn find(db: &Db, owner: OwnerId, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    db.transaction("api_key.find", async |tx| {
        let row = owned(owner)
            .filter(row::Column::Id.eq(id.0))
            .one(tx)
            .await?;
        row.map(ApiKey::try_from).transpose()
    })
    .await
}

/// Revokes a key, and answers whether the user had it.
pub async fn delete(db: &Db, owner: OwnerId, id: ApiKeyId) -> Result<bool, StoreError> {
    db.transaction("api_key.delete", async |tx| {
        let deleted = row::Entity::delete_many()
            .filter(row::Column::UserId.eq(owner.uuid()))
            .filter(row::Column::Id.eq(id.0))
            .exec(tx)
            .await?;
        Ok(deleted.rows_affected > 0)
    })
    .await
}

/// What a key proves, if it is one and has not ended; takes note of its use, at most once a minute.
pub async fn authenticate(
    db: &Db,
    hash: ApiKeyHash,
    now: Timestamp,
) -> Result<Option<Grant>, StoreError> {
    db.transaction("api_key.authenticate", async |tx| {
        let found = row::Entity::find()
            .filter(row::Column::KeyHash.eq(hash.to_hex()))
            .one(tx)
            .await?;
        let Some(key) = found.filter(|key| key.expires_at.is_none_or(|at| at > now)) else {
            return Ok(None);
        };
        let minute_ago = now - chrono::TimeDelta::minutes(1);
        if key.last_used_at.is_none_or(|at| at <= minute_ago) {
            // Another instance may have been faster.
            let touch = sqlx::query(
                "update api_keys set last_used_at = $2
                 where id = $1 and (last_used_at is null or last_used_at <= $3)",
            );
            tx.execute(touch.bind(key.id).bind(now).bind(minute_ago))
                .await?;
        }
        Ok(Some(Grant {
            id: ApiKeyId(key.id),
            owner: OwnerId(UserId(key.user_id)),
            scopes: scopes(&key.scopes)?,
            expires_at: key.expires_at,
        }))
    })
    .await
}
