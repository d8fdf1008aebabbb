//! Users and their passwords.

mod delete;
pub(crate) mod row;

pub use delete::{delete, purge, retire};

use crate::{Db, StoreError, Tx, mail, session, session::OwnerId, verification};
use domain::{
    Timestamp,
    mail::NewMail,
    session::{Client, RefreshToken, Session, SessionId},
    user::{DisplayName, Email, User, UserChange, UserId},
};
use row::account;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    Select, SelectTwo,
};
use uuid::Uuid;

/// Sign-in by e-mail and password, the only provider for now.
const CREDENTIAL: &str = "credential";

/// A user who signs up, with the hash of the password.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Address to sign in with.
    pub email: Email,
    /// What to call the user.
    pub name: Option<DisplayName>,
    /// Argon2id in PHC string format.
    pub password_hash: String,
    /// Brings a token to verify the address with.
    pub mail: NewMail,
}

/// Makes a user, the way to sign in, and a first session; the mail waits from the same moment on.
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
            deleted_at: Set(None),
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
        // Without room for it the user is there all the same, and may ask for another one.
        mail::insert_in(tx, &sign_up.mail, now).await?;
        let session = session::insert_in(tx, user.id, token, client, now).await?;
        Ok((user, session))
    })
    .await
}

/// The user with this address, and the hash of the password.
///
/// One query, whether there is such a user or not, so that time does not tell.
pub async fn find_by_email(db: &Db, email: &Email) -> Result<Option<(User, String)>, StoreError> {
    let query = credentials().filter(row::Column::Email.eq(email.as_str()));
    db.transaction("user.find_by_email", async |tx| {
        with_hash(query.clone().one(tx).await?)
    })
    .await
}

/// The owner as a user, and the hash of the password; none where they have been deleted.
pub async fn find_credentials(
    db: &Db,
    owner: OwnerId,
) -> Result<Option<(User, String)>, StoreError> {
    let query = credentials().filter(row::Column::Id.eq(owner.uuid()));
    db.transaction("user.find_credentials", async |tx| {
        with_hash(query.clone().one(tx).await?)
    })
    .await
}

fn credentials() -> SelectTwo<row::Entity, account::Entity> {
    row::Entity::find()
        .find_also_related(account::Entity)
        .filter(account::Column::ProviderId.eq(CREDENTIAL))
}

fn with_hash(
    found: Option<(row::Model, Option<account::Model>)>,
) -> Result<Option<(User, String)>, StoreError> {
    let Some((user, Some(account))) = found else {
        return Ok(None);
    };
    let user = User::try_from(user)?;
    Ok(account.password_hash.map(|hash| (user, hash)))
}

/// Changes what the owner is called; none where they have been deleted.
pub async fn update(
    db: &Db,
    owner: OwnerId,
    change: &UserChange,
    now: Timestamp,
) -> Result<Option<User>, StoreError> {
    db.transaction("user.update", async |tx| {
        let Some(user) = find_row(owner).one(tx).await? else {
            return Ok(None);
        };
        let name = change.name.clone().map(|name| name.map(String::from));
        let Some(name) = name.filter(|name| *name != user.name) else {
            return User::try_from(user).map(Some);
        };
        let mut user = user.into_active_model();
        user.name = Set(name);
        user.updated_at = Set(now);
        User::try_from(user.update(tx).await?).map(Some)
    })
    .await
}

fn find_row(owner: OwnerId) -> Select<row::Entity> {
    row::Entity::find_by_id(owner.uuid())
}

/// A password that is to take the place of another one: the hashes of both.
#[derive(Clone)]
pub struct NewHash {
    /// The hash that the password was found to have.
    pub before: String,
    /// Argon2id in PHC string format.
    pub after: String,
}

impl std::fmt::Debug for NewHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewHash(…)")
    }
}

/// Changes the owner's password, ends all sessions but this one, voids tokens that would reset the password, and
/// mails a notice. Answers which sessions ended; none where the hash is another one by now, and then nothing changes.
pub async fn change_password(
    db: &Db,
    owner: OwnerId,
    session: SessionId,
    hash: &NewHash,
    now: Timestamp,
) -> Result<Option<Vec<SessionId>>, StoreError> {
    db.transaction("user.change_password", async |tx| {
        let statement = sqlx::query(
            "update accounts set password_hash = $3, updated_at = $4
             where user_id = $1 and provider_id = $5 and password_hash = $2",
        );
        let statement = statement
            .bind(owner.uuid())
            .bind(&hash.before)
            .bind(&hash.after)
            .bind(now)
            .bind(CREDENTIAL);
        if tx.execute(statement).await? == 0 {
            return Ok(None);
        }
        verification::after_new_password(tx, owner.user_id(), now).await?;
        session::revoke_others_in(tx, owner, session, now)
            .await
            .map(Some)
    })
    .await
}

/// Whether the user's password still has this hash; neither changes until this transaction ends.
pub(crate) async fn has_hash(tx: &Tx, user: UserId, hash: &str) -> Result<bool, StoreError> {
    // The user first, as everyone locks them, with the lock that whatever refers to the user takes.
    let statement = sqlx::query("select from users where id = $1 for key share");
    tx.execute(statement.bind(user.0)).await?;
    let statement = sqlx::query(
        "select true from accounts where user_id = $1 and provider_id = $3 and password_hash = $2
         for share",
    );
    let statement = statement.bind(user.0).bind(hash).bind(CREDENTIAL);
    tx.fetch_bool(statement).await
}
