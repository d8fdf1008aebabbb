//! Users and their passwords.

use crate::{Db, StoreError, session};
use domain::{
    Timestamp,
    session::{Client, RefreshToken, Session},
    user::{DisplayName, Email, User, UserId},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// Sign-in by e-mail and password, the only provider for now.
const CREDENTIAL: &str = "credential";

pub(crate) mod row {
    //! Rows of `users`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub email: String,
        pub email_verified_at: Option<DateTimeUtc>,
        pub name: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::account::Entity")]
        Account,
    }

    impl Related<super::account::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Account.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod account {
    //! Rows of `accounts`: one for each way of signing in.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "accounts")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Uuid,
        pub provider_id: String,
        pub password_hash: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {
        #[sea_orm(
            belongs_to = "super::row::Entity",
            from = "Column::UserId",
            to = "super::row::Column::Id"
        )]
        User,
    }

    impl Related<super::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::User.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for User {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId(row.id),
            email: Email::parse(&row.email)
                .map_err(|error| StoreError::corrupt("users.email", error))?,
            name: row
                .name
                .map(DisplayName::try_from)
                .transpose()
                .map_err(|error| StoreError::corrupt("users.name", error))?,
            created_at: row.created_at,
        })
    }
}

/// A user who signs up, with the hash of the password.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Address to sign in with.
    pub email: Email,
    /// What to call the user.
    pub name: Option<DisplayName>,
    /// Argon2id in PHC string format.
    pub password_hash: String,
}

/// Makes a user, the way to sign in, and a first session.
///
/// Fails with [`crate::Constraint::UserEmail`] where the address is taken.
pub async fn insert(
    db: &Db,
    sign_up: &SignUp,
    token: &RefreshToken,
    client: &Client,
    now: Timestamp,
) -> Result<(User, Session), StoreError> {
    db.transaction("user.insert", async |tx| {
        let user = row::ActiveModel {
            id: Set(Uuid::now_v7()),
            email: Set(sign_up.email.as_str().to_owned()),
            email_verified_at: Set(None),
            name: Set(sign_up.name.clone().map(String::from)),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let user = User::try_from(user.insert(tx).await?)?;
        let account = account::ActiveModel {
            id: Set(Uuid::now_v7()),
            user_id: Set(user.id.0),
            provider_id: Set(CREDENTIAL.to_owned()),
            password_hash: Set(Some(sign_up.password_hash.clone())),
            created_at: Set(now),
            updated_at: Set(now),
        };
        account.insert(tx).await?;
        let session = session::insert_in(tx, user.id, token, client, now).await?;
        Ok((user, session))
    })
    .await
}

/// The user with this address, and the hash of the password.
///
/// One query, whether there is such a user or not, so that time does not tell.
pub async fn find_by_email(db: &Db, email: &Email) -> Result<Option<(User, String)>, StoreError> {
    db.transaction("user.find_by_email", async |tx| {
        let found = row::Entity::find()
            .find_also_related(account::Entity)
            .filter(row::Column::Email.eq(email.as_str()))
            .filter(account::Column::ProviderId.eq(CREDENTIAL))
            .one(tx)
            .await?;
        let Some((user, Some(account))) = found else {
            return Ok(None);
        };
        let user = User::try_from(user)?;
        Ok(account.password_hash.map(|hash| (user, hash)))
    })
    .await
}
