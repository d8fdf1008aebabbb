//! Verifications: tokens that were mailed, what they prove, and what follows.

use crate::{Db, StoreError, Tx, api_key, mail, session};
use domain::{
    Timestamp,
    api_key::ApiKeyId,
    mail::{Mail, MailId, MailKind, NewMail},
    session::SessionId,
    user::{Email, UserId},
    verification::{LIMIT, Purpose, VerificationToken},
};
use sqlx::Row;
use uuid::Uuid;

/// Makes the token of a claimed mail good, and answers whether the mail is to be sent at all.
///
/// It is not where its address is no user's, where it has become void or nothing is left to verify,
/// and where the user was mailed enough of its kind within the hour. A mail that is tried again
/// brings the same token.
pub async fn insert(
    db: &Db,
    mail: &Mail,
    token: Option<&VerificationToken>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    db.transaction("verification.insert", async |tx| {
        // The account too, as whoever changes a password does: a token is void before that, or not yet made.
        let statement = sqlx::query(
            "select users.id, email_verified_at is not null
             from users join accounts on user_id = users.id and provider_id = 'credential'
             where email = $1 for no key update of users, accounts",
        );
        let Some(row) = tx.fetch_optional(statement.bind(mail.to.as_str())).await? else {
            return Ok(false);
        };
        let (user, is_verified): (Uuid, bool) = (row.try_get(0)?, row.try_get(1)?);
        if !mail::is_waiting_in(tx, mail.id).await? {
            return Ok(false);
        }
        let (Some(purpose), Some(token)) = (mail.kind.purpose(), token) else {
            return Ok(true);
        };
        if purpose == Purpose::VerifyEmail && is_verified {
            return Ok(false);
        }
        upsert(tx, user, purpose, (token, mail.expires_at), now).await
    })
    .await
}

/// Stores a token, or prolongs it, unless it was used or the user has had enough of them.
async fn upsert(
    tx: &Tx,
    user: Uuid,
    purpose: Purpose,
    (token, expires_at): (&VerificationToken, Timestamp),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let statement = sqlx::query(
        "insert into verifications (id, user_id, purpose, token_hash, expires_at)
         select $1, $2, $3, $4, $5
         where (select count(*) from verifications
                where user_id = $2 and purpose = $3 and token_hash <> $4 and expires_at > $6) < $7
         on conflict (token_hash) do update set expires_at = excluded.expires_at
             where verifications.used_at is null",
    );
    let statement = statement
        .bind(Uuid::now_v7())
        .bind(user)
        .bind(purpose.as_str())
        .bind(token.hash())
        .bind(expires_at)
        .bind(purpose.counts_from(now))
        .bind(LIMIT);
    Ok(tx.execute(statement).await? > 0)
}

/// The address of the user whom a token was mailed to, if the token is good; does not use it.
pub async fn find_email(
    db: &Db,
    purpose: Purpose,
    token: &VerificationToken,
    now: Timestamp,
) -> Result<Option<Email>, StoreError> {
    db.transaction("verification.find_email", async |tx| {
        let statement = sqlx::query(
            "select email from users join verifications on user_id = users.id
             where token_hash = $1 and purpose = $2 and expires_at > $3 and used_at is null",
        );
        let statement = statement.bind(token.hash()).bind(purpose.as_str());
        let found = tx.fetch_optional(statement.bind(now)).await?;
        found.map(|row| parse_email(row.try_get(0)?)).transpose()
    })
    .await
}

fn parse_email(text: &str) -> Result<Email, StoreError> {
    Email::parse(text).map_err(|error| StoreError::corrupt("users.email", error))
}

/// What ended with a password that was reset.
#[derive(Debug)]
pub struct Ended {
    /// Sessions of the user.
    pub sessions: Vec<SessionId>,
    /// API keys of the user: whoever had the password may have made one.
    pub api_keys: Vec<ApiKeyId>,
}

/// Sets a new password, which voids every other token that could, ends all sessions and API keys of the user,
/// and mails a notice. Answers which; none where the token is not good.
///
/// Of parallel attempts with one token exactly one wins. The mail that brought the token reached
/// its address, so that is verified too.
pub async fn reset_password(
    db: &Db,
    token: &VerificationToken,
    password_hash: &str,
    now: Timestamp,
) -> Result<Option<Ended>, StoreError> {
    db.transaction("verification.reset_password", async |tx| {
        let Some(user) = lock_user(tx, Purpose::ResetPassword, token).await? else {
            return Ok(None);
        };
        let statement = sqlx::query(
            "update verifications set used_at = $3
             where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3",
        );
        let purpose = Purpose::ResetPassword.as_str();
        let statement = statement.bind(token.hash()).bind(purpose).bind(now);
        if tx.execute(statement).await? == 0 {
            return Ok(None);
        }
        let statement = sqlx::query(
            "update accounts set password_hash = $2, updated_at = $3
             where user_id = $1 and provider_id = 'credential'",
        );
        tx.execute(statement.bind(user.0).bind(password_hash).bind(now))
            .await?;
        mark_verified(tx, user, now).await?;
        after_new_password(tx, user, now).await?;
        let ended = Ended {
            api_keys: api_key::delete_all_in(tx, user).await?,
            sessions: session::revoke_all_in(tx, user, now).await?,
        };
        Ok(Some(ended))
    })
    .await
}

/// What follows from every change of a password, within its transaction: tokens that could change
/// it again are void, also those that are not yet mailed, and the user is told by mail.
pub(crate) async fn after_new_password(
    tx: &Tx,
    user: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "update verifications set used_at = $3
         where user_id = $1 and purpose = $2 and used_at is null",
    );
    let purpose = Purpose::ResetPassword.as_str();
    tx.execute(statement.bind(user.0).bind(purpose).bind(now))
        .await?;
    let statement = sqlx::query("select email from users where id = $1");
    if let Some(row) = tx.fetch_optional(statement.bind(user.0)).await? {
        let email = parse_email(row.try_get(0)?)?;
        mail::delete_kind_in(tx, MailKind::ResetPassword, &email).await?;
        let notice = NewMail::password_changed(MailId(Uuid::now_v7()), email);
        mail::insert_in(tx, &notice, now).await?;
    }
    Ok(())
}

/// Verifies the address that a token was mailed to, and answers whether the token is good.
///
/// A token that was used stays good for this until it expires: programs that look at links before
/// their reader does, and double clicks, use it first.
pub async fn verify_email(
    db: &Db,
    token: &VerificationToken,
    now: Timestamp,
) -> Result<bool, StoreError> {
    db.transaction("verification.verify_email", async |tx| {
        let Some(user) = lock_user(tx, Purpose::VerifyEmail, token).await? else {
            return Ok(false);
        };
        let statement = sqlx::query(
            "update verifications set used_at = coalesce(used_at, $3)
             where token_hash = $1 and purpose = $2 and expires_at > $3",
        );
        let purpose = Purpose::VerifyEmail.as_str();
        let statement = statement.bind(token.hash()).bind(purpose).bind(now);
        if tx.execute(statement).await? == 0 {
            return Ok(false);
        }
        mark_verified(tx, user, now).await?;
        Ok(true)
    })
    .await
}

/// The user whom a token was mailed to, locked with the account: before the token, as everywhere.
async fn lock_user(
    tx: &Tx,
    purpose: Purpose,
    token: &VerificationToken,
) -> Result<Option<UserId>, StoreError> {
    let statement = sqlx::query(
        "select users.id from verifications
         join users on users.id = verifications.user_id
         join accounts on accounts.user_id = users.id and provider_id = 'credential'
         where token_hash = $1 and purpose = $2 for no key update of users, accounts",
    );
    let statement = statement.bind(token.hash()).bind(purpose.as_str());
    let found = tx.fetch_optional(statement).await?;
    found.map(|row| Ok(UserId(row.try_get(0)?))).transpose()
}

async fn mark_verified(tx: &Tx, user: UserId, now: Timestamp) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "update users set email_verified_at = $2, updated_at = $2
         where id = $1 and email_verified_at is null",
    );
    tx.execute(statement.bind(user.0).bind(now)).await?;
    Ok(())
}

/// Removes tokens that expired more than a day ago, at most 1000 at a time, and answers how many.
pub async fn delete_expired(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    db.transaction("verification.delete_expired", async |tx| {
        let statement = sqlx::query(
            "delete from verifications where id in (
                 select id from verifications where expires_at < $1 limit 1000
                 for update skip locked)",
        );
        tx.execute(statement.bind(now - chrono::TimeDelta::days(1)))
            .await
    })
    .await
}
