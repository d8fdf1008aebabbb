//! Mails that wait to be sent: an outbox in the database, so that what was promised is not forgotten.

use crate::{Db, StoreError, Tx, word};
use chrono::TimeDelta;
use domain::{
    Timestamp,
    mail::{Mail, MailId, MailKind, NewMail},
    user::Email,
};
use sqlx::{Row, postgres::PgRow};

/// Most mails that wait, of everyone together; but notices, which warn someone, are always taken.
pub const MAX_WAITING: i64 = 10_000;

/// How many may wait for there to be room for one that verifies an address, which strangers can ask for by signing up:
/// the rest is for who has forgotten a password.
const MAX_VERIFYING: i64 = 8_000;

/// Most mails that one instance sends at once.
pub const CLAIM: usize = 4;

/// How long a mail is left to the instance that claimed it: longer than any try to send it takes.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// Most mails that are removed in one transaction.
const STEP: i64 = 1_000;

/// Puts a mail into the outbox, and answers whether there was room for it.
///
/// It costs the same whoever the address belongs to, or nobody. Of mails of one kind to one
/// address only one waits: who asks again prolongs it.
pub async fn insert(db: &Db, mail: &NewMail, now: Timestamp) -> Result<bool, StoreError> {
    db.transaction("mail.insert", async |tx| insert_in(tx, mail, now).await)
        .await
}

/// Puts a mail into the outbox as part of a larger transaction, and answers whether there was room.
pub(crate) async fn insert_in(tx: &Tx, mail: &NewMail, now: Timestamp) -> Result<bool, StoreError> {
    let statement = sqlx::query(
        "insert into outbox_mails (id, kind, email, sealed_token, asked_at, expires_at, due_at)
         select $1, $2, $3, $4, $5, $6, $5
         where (select count(*) from (select from outbox_mails limit $7) as waiting) < $7
         on conflict (email, kind) do update
             set asked_at = excluded.asked_at, expires_at = excluded.expires_at",
    );
    let statement = statement
        .bind(mail.id.0)
        .bind(mail.kind.as_str())
        .bind(mail.to.as_str())
        .bind(mail.sealed_token.as_deref())
        .bind(now)
        .bind(now + mail.kind.lifetime());
    let statement = statement.bind(match mail.kind {
        MailKind::VerifyEmail => MAX_VERIFYING,
        MailKind::ResetPassword => MAX_WAITING,
        MailKind::PasswordChanged => i64::MAX,
    });
    let is_taken = tx.execute(statement).await? > 0;
    if !is_taken {
        metrics::counter!("readout_mails_total", "kind" => mail.kind.as_str(), "outcome" => "no_room")
            .increment(1);
    }
    Ok(is_taken)
}

/// Takes mails that are due, at most [`CLAIM`], for some minutes in which nobody else takes them; those that verify
/// addresses last, of which strangers can ask for many.
///
/// A claim is no lock: no connection is held while a mail is sent. Who claimed it must
/// [`delete`] or [`postpone`] it in time, or it is tried again.
pub async fn claim(db: &Db, now: Timestamp) -> Result<Vec<Mail>, StoreError> {
    db.transaction("mail.claim", async |tx| {
        let statement = sqlx::query(
            "with due as materialized (
                 select id from outbox_mails where due_at <= $1 and expires_at > $1
                 order by kind = 'verify_email', due_at limit $2 for update skip locked)
             update outbox_mails as mail set due_at = $3, attempts = attempts + 1
             from due where mail.id = due.id
             returning mail.id, kind, email, sealed_token, asked_at, expires_at, attempts",
        );
        let most = i64::try_from(CLAIM).unwrap_or(i64::MAX);
        let rows = tx
            .fetch_all(statement.bind(now).bind(most).bind(now + LEASE))
            .await?;
        rows.iter().map(read).collect()
    })
    .await
}

fn read(row: &PgRow) -> Result<Mail, StoreError> {
    let (kind, email): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
    let attempts: i32 = row.try_get(6)?;
    Ok(Mail {
        id: MailId(row.try_get(0)?),
        kind: parse_kind(kind)?,
        to: Email::parse(email)
            .map_err(|error| StoreError::corrupt("outbox_mails.email", error))?,
        sealed_token: row.try_get(3)?,
        asked_at: row.try_get(4)?,
        expires_at: row.try_get(5)?,
        attempts: attempts.unsigned_abs(),
    })
}

fn parse_kind(text: &str) -> Result<MailKind, StoreError> {
    word::parse("outbox_mails.kind", &MailKind::ALL, MailKind::as_str, text)
}

/// Whether a mail still waits: it may have become void since it was claimed.
pub(crate) async fn is_waiting_in(tx: &Tx, mail: MailId) -> Result<bool, StoreError> {
    let statement = sqlx::query("select exists (select from outbox_mails where id = $1)");
    tx.fetch_bool(statement.bind(mail.0)).await
}

/// Erases a mail that was sent, or that is not to be sent; one that was asked for again meanwhile is due again.
pub async fn delete(db: &Db, mail: &Mail, now: Timestamp) -> Result<(), StoreError> {
    db.transaction("mail.delete", async |tx| {
        let statement = sqlx::query("delete from outbox_mails where id = $1 and asked_at = $2");
        let statement = statement.bind(mail.id.0).bind(mail.asked_at);
        if tx.execute(statement).await? == 0 {
            let statement =
                sqlx::query("update outbox_mails set due_at = $2, attempts = 0 where id = $1");
            tx.execute(statement.bind(mail.id.0).bind(now)).await?;
        }
        Ok(())
    })
    .await
}

/// Erases the mails of a kind that wait for an address, as part of a larger transaction.
pub(crate) async fn delete_kind_in(tx: &Tx, kind: MailKind, to: &Email) -> Result<(), StoreError> {
    let statement = sqlx::query("delete from outbox_mails where email = $1 and kind = $2");
    tx.execute(statement.bind(to.as_str()).bind(kind.as_str()))
        .await?;
    Ok(())
}

/// Leaves a mail that could not be sent until later.
pub async fn postpone(db: &Db, mail: MailId, until: Timestamp) -> Result<(), StoreError> {
    db.transaction("mail.postpone", async |tx| {
        let statement = sqlx::query("update outbox_mails set due_at = $2 where id = $1");
        tx.execute(statement.bind(mail.0).bind(until)).await?;
        Ok(())
    })
    .await
}

/// What became of the outbox without a mail being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Mails that were given up, since what they bring is not good any more.
    pub given_up: Vec<MailKind>,
    /// How many mails still wait, at most [`MAX_WAITING`].
    pub waiting: u32,
}

/// Removes mails that came to nothing: whose time is over, and whose address is no user's.
///
/// The latter would be found out when they are sent, too, but a flood of them must not wait behind
/// a mail server that is slow.
pub async fn delete_useless(db: &Db, now: Timestamp) -> Result<Sweep, StoreError> {
    db.transaction("mail.delete_useless", async |tx| {
        let expired = sqlx::query(
            "delete from outbox_mails where id in (
                 select id from outbox_mails where expires_at <= $1 limit $2 for update skip locked)
             returning kind",
        );
        let rows = tx.fetch_all(expired.bind(now).bind(STEP)).await?;
        let given_up = rows.iter().map(|row| parse_kind(row.try_get(0)?));
        let given_up = given_up.collect::<Result<_, StoreError>>()?;
        let strangers = sqlx::query(
            "delete from outbox_mails where id in (
                 select id from outbox_mails as mail
                 where not exists (select from users where users.email = mail.email)
                 limit $1 for update skip locked)",
        );
        tx.execute(strangers.bind(STEP)).await?;
        let statement = "select count(*) from (select from outbox_mails limit $1) as waiting";
        let row = tx.fetch_optional(sqlx::query(statement).bind(MAX_WAITING));
        let waiting: i64 = row.await?.map_or(Ok(0), |row| row.try_get(0))?;
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        Ok(Sweep { given_up, waiting })
    })
    .await
}
