//! Mail: what waits in the outbox is sent in the background, by whichever instance comes first.

mod carrier;
mod settings;
mod smtp;
mod text;

pub(crate) use carrier::Carrier;
pub(crate) use settings::MailSettings;
pub(crate) use text::Links;

use carrier::Outcome;
use domain::{
    mail::{Mail, MailKind},
    seal::Sealer,
    verification::VerificationToken,
};
use futures_util::future::join_all;
use http::Clock;
use persistence::{Db, StoreError, mail, verification};
use std::time::Duration;
use text::Letter;

/// How often mail is looked for.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// The pause between two rounds while there is more.
const SEND_PAUSE: Duration = Duration::from_millis(50);

/// How often mail is looked for that came to nothing.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How often tokens that expired long ago are removed.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Sends what waits.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    pub(crate) db: Db,
    pub(crate) sealer: Sealer,
    pub(crate) carrier: Carrier,
    pub(crate) links: Links,
}

impl Outbox {
    /// Whether mail is sent here at all.
    pub(crate) fn sends(&self) -> bool {
        !matches!(self.carrier, Carrier::None)
    }

    /// Sends a few mails, and says when to come again.
    ///
    /// No connection to the database is held while the mail server is talked to. Where we are
    /// killed after it took a mail and before that is erased, the mail is sent again.
    pub(crate) async fn send(&self) -> Result<Duration, StoreError> {
        let claimed = mail::claim(&self.db, Clock.now()).await?;
        let more = claimed.len() == mail::CLAIM;
        let mut letters = Vec::with_capacity(claimed.len());
        for mail in claimed {
            let Ok(token) = mail.token(&self.sealer) else {
                // While the secret changes, an instance that has the other one can send it.
                tracing::error!(mail = %mail.id, "a mail was sealed with another AUTH_SECRET, and is left");
                let now = Clock.now();
                mail::postpone(&self.db, mail.id, mail.retry_at(now)).await?;
                continue;
            };
            match self.write(&mail, token.as_ref()).await? {
                Some(letter) => letters.push((mail, letter)),
                None => mail::delete(&self.db, &mail, Clock.now()).await?,
            }
        }
        let sending = letters.into_iter().map(async |(mail, letter)| {
            let outcome = self.carrier.send(&mail, letter).await;
            (mail, outcome)
        });
        for (mail, outcome) in join_all(sending).await {
            self.settle(&mail, outcome).await?;
        }
        Ok(if more { SEND_PAUSE } else { SEND_EVERY })
    }

    /// What a mail says, once its token is good; none where it is not to be sent.
    async fn write(
        &self,
        mail: &Mail,
        token: Option<&VerificationToken>,
    ) -> Result<Option<Letter>, StoreError> {
        let is_wanted = verification::insert(&self.db, mail, token, Clock.now()).await?;
        if !is_wanted {
            count(mail.kind, "needless");
            return Ok(None);
        }
        Ok(Some(self.links.letter(mail, token)))
    }

    async fn settle(&self, mail: &Mail, outcome: Outcome) -> Result<(), StoreError> {
        count(mail.kind, outcome.as_str());
        let now = Clock.now();
        match outcome {
            Outcome::Sent | Outcome::Refused => mail::delete(&self.db, mail, now).await,
            Outcome::Failed => mail::postpone(&self.db, mail.id, mail.retry_at(now)).await,
        }
    }

    /// Removes mail that came to nothing, and counts what waits.
    pub(crate) async fn sweep(&self) -> Result<Duration, StoreError> {
        let sweep = mail::delete_useless(&self.db, Clock.now()).await?;
        for kind in &sweep.given_up {
            tracing::warn!(
                kind = kind.as_str(),
                "a mail could not be sent in time, and is given up"
            );
            count(*kind, "given_up");
        }
        metrics::gauge!("readout_mails_waiting").set(sweep.waiting);
        Ok(SWEEP_EVERY)
    }

    /// Removes tokens that expired long ago.
    pub(crate) async fn forget(&self) -> Result<Duration, StoreError> {
        let removed = verification::delete_expired(&self.db, Clock.now()).await?;
        Ok(if removed > 0 {
            SEND_PAUSE
        } else {
            FORGET_EVERY
        })
    }
}

fn count(kind: MailKind, outcome: &'static str) {
    metrics::counter!("readout_mails_total", "kind" => kind.as_str(), "outcome" => outcome)
        .increment(1);
}
