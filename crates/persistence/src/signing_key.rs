//! Keys that sign access tokens. They are nobody's: all instances share them.

use crate::{Db, StoreError, Tx};
use domain::{
    Timestamp,
    signing_key::{NewSigningKey, PublicKey, Retirement, SigningKey, SigningKeyId},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait, QueryOrder};

/// Key of the advisory lock under which keys are made, so that each comes after all others.
const LOCK: i64 = 0x5265_6164_6f75_740e;

mod row {
    //! Rows of `signing_keys`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signing_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub public_key: Vec<u8>,
        pub sealed_private_key: Option<Vec<u8>>,
        pub created_at: DateTimeUtc,
        pub signs_from: DateTimeUtc,
        pub signs_until: Option<DateTimeUtc>,
        pub verifies_until: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for SigningKey {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let public = row.public_key.try_into();
        let public =
            public.map_err(|_| StoreError::corrupt("signing_keys.public_key", "length"))?;
        let public = PublicKey::from_bytes(public);
        if public.id().as_str() != row.id {
            return Err(StoreError::corrupt("signing_keys.id", row.id));
        }
        let end = row.signs_until.zip(row.verifies_until);
        Ok(Self {
            id: public.id(),
            public,
            sealed: row.sealed_private_key,
            created_at: row.created_at,
            signs_from: row.signs_from,
            retirement: end.map(|(signs_until, verifies_until)| Retirement {
                signs_until,
                verifies_until,
            }),
        })
    }
}

/// All keys, in the order in which they sign.
pub async fn list(db: &Db) -> Result<Vec<SigningKey>, StoreError> {
    db.transaction("signing_key.list", async |tx| all(tx).await)
        .await
}

async fn all(tx: &Tx) -> Result<Vec<SigningKey>, StoreError> {
    let rows = row::Entity::find()
        .order_by_asc(row::Column::SignsFrom)
        .order_by_asc(row::Column::Id)
        .all(tx)
        .await?;
    rows.into_iter().map(SigningKey::try_from).collect()
}

/// Stores the first key, unless another instance was faster, and answers all keys that there are.
pub async fn insert_first(
    db: &Db,
    new: &NewSigningKey,
    now: Timestamp,
) -> Result<Vec<SigningKey>, StoreError> {
    db.transaction("signing_key.insert_first", async |tx| {
        lock(tx).await?;
        if row::Entity::find().count(tx).await? == 0 {
            insert(tx, new, now, now).await?;
        }
        all(tx).await
    })
    .await
}

/// Stores a key that begins to sign at a time to come, when the turn of the one before it ends.
pub async fn rotate(
    db: &Db,
    new: &NewSigningKey,
    signs_from: Timestamp,
    now: Timestamp,
) -> Result<Vec<SigningKey>, StoreError> {
    db.transaction("signing_key.rotate", async |tx| {
        lock(tx).await?;
        let end = Retirement::at(signs_from);
        let retire = sqlx::query(
            "update signing_keys set signs_until = $1, verifies_until = $2 where signs_until is null",
        );
        tx.execute(retire.bind(end.signs_until).bind(end.verifies_until))
            .await?;
        insert(tx, new, signs_from, now).await?;
        all(tx).await
    })
    .await
}

/// Stores a key that signs at once, and removes all others with what they have signed.
pub async fn replace(
    db: &Db,
    new: &NewSigningKey,
    now: Timestamp,
) -> Result<Vec<SigningKey>, StoreError> {
    db.transaction("signing_key.replace", async |tx| {
        lock(tx).await?;
        row::Entity::delete_many().exec(tx).await?;
        insert(tx, new, now, now).await?;
        all(tx).await
    })
    .await
}

async fn lock(tx: &Tx) -> Result<(), StoreError> {
    let lock = sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK);
    tx.execute(lock).await.map(|_| ())
}

async fn insert(
    tx: &Tx,
    new: &NewSigningKey,
    signs_from: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = row::ActiveModel {
        id: Set(new.public.id().to_string()),
        public_key: Set(new.public.as_bytes().to_vec()),
        sealed_private_key: Set(Some(new.sealed.clone())),
        created_at: Set(now),
        signs_from: Set(signs_from),
        signs_until: Set(None),
        verifies_until: Set(None),
    };
    row.insert(tx).await?;
    Ok(())
}

/// Puts a private key that was sealed again in the place of what it was opened from, unless another
/// instance was faster.
pub async fn reseal(
    db: &Db,
    id: &SigningKeyId,
    before: &[u8],
    sealed: &[u8],
) -> Result<(), StoreError> {
    db.transaction("signing_key.reseal", async |tx| {
        let statement = sqlx::query(
            "update signing_keys set sealed_private_key = $3 where id = $1 and sealed_private_key = $2",
        );
        let statement = statement.bind(id.as_str()).bind(before).bind(sealed);
        tx.execute(statement).await.map(|_| ())
    })
    .await
}

/// Removes what a key that is to be cleared has left: its private part, or all of it.
pub async fn clear(db: &Db, key: &SigningKey, now: Timestamp) -> Result<(), StoreError> {
    db.transaction("signing_key.clear", async |tx| {
        let delete = "delete from signing_keys where id = $1 and verifies_until <= $2";
        let delete = sqlx::query(delete).bind(key.id.as_str()).bind(now);
        if tx.execute(delete).await? == 0 {
            let forget = "update signing_keys set sealed_private_key = null where id = $1 and signs_until <= $2";
            let forget = sqlx::query(forget).bind(key.id.as_str()).bind(now);
            tx.execute(forget).await?;
        }
        Ok(())
    })
    .await
}
