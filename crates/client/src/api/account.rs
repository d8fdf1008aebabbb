//! A user who is signed in, and stays so.

use super::{Answer, Api, Call, Caller, Lost};
use crate::{
    backoff::Backoff,
    failure::Failure,
    secret::Secret,
    service::{Credentials, Login},
};
use hyper::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::sleep};

/// How long what may pass is tried again.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long before it expires a token is renewed.
const MARGIN: Duration = Duration::from_mins(1);

/// A user, by the credentials that were given.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) api: Api,
    login: Option<Login>,
    session: Arc<Mutex<Session>>,
}

#[derive(Debug)]
struct Session {
    token: Secret,
    /// When it is to be renewed, if anyone knows.
    until: Option<Instant>,
}

/// What is sent to sign in or up.
#[derive(Serialize)]
struct Person<'a> {
    email: &'a str,
    password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Deserialize)]
struct SignedIn {
    access_token: String,
    expires_in: u64,
}

impl From<SignedIn> for Session {
    fn from(signed_in: SignedIn) -> Self {
        let lifetime = Duration::from_secs(signed_in.expires_in);
        Self {
            token: signed_in.access_token.into(),
            until: Instant::now().checked_add(lifetime.saturating_sub(MARGIN)),
        }
    }
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

impl Account {
    /// With a token that was given, or signed in.
    pub(crate) async fn open(api: &Api, credentials: Credentials) -> Result<Self, Failure> {
        let Credentials { bearer, login } = credentials;
        let session = match (bearer, &login) {
            (Some(token), _) => Session { token, until: None },
            (None, Some(login)) => sign(api, "/auth/sign-in", login, None).await?,
            (None, None) => return Err(Failure::other("there are no credentials")),
        };
        Ok(Self::with(api, login, session))
    }

    /// Signs up someone new.
    pub(crate) async fn sign_up(api: &Api, login: Login, name: &str) -> Result<Self, Failure> {
        let session = sign(api, "/auth/sign-up", &login, Some(name)).await?;
        Ok(Self::with(api, Some(login), session))
    }

    fn with(api: &Api, login: Option<Login>, session: Session) -> Self {
        Self {
            api: api.clone(),
            login,
            session: Arc::new(Mutex::new(session)),
        }
    }

    /// The token that is good now. Signs in again where the old one is about to expire, or is `refused`.
    pub(crate) async fn token(&self, refused: Option<&Secret>) -> Result<Secret, Failure> {
        let mut session = self.session.lock().await;
        let is_over = session.until.is_some_and(|until| until <= Instant::now())
            || refused.is_some_and(|it| it.reveal() == session.token.reveal());
        if let (true, Some(login)) = (is_over, &self.login) {
            *session = sign(&self.api, "/auth/sign-in", login, None).await?;
        }
        Ok(session.token.clone())
    }

    /// Asks as this user, again and again while it may still go well.
    pub(crate) async fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        let token = self.token(None).await?;
        let answer = patiently(&self.api, call, Caller::User(&token)).await?;
        if answer.status != StatusCode::UNAUTHORIZED || self.login.is_none() {
            return Ok(answer);
        }
        let token = self.token(Some(&token)).await?;
        patiently(&self.api, call, Caller::User(&token)).await
    }

    /// The body of the answer, which must be one of success.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        let answer = self.ask(call).await?;
        self.parse(call, &answer)
    }

    /// The body of an answer, which must be one of success.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        call: &Call,
        answer: &Answer,
    ) -> Result<T, Failure> {
        parse(&self.api, call, answer)
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{joint}limit=500");
        let (mut items, mut next) = (Vec::new(), first.clone());
        loop {
            let page: Page<T> = self.json(&Call::get(&next)).await?;
            items.extend(page.data);
            let Some(cursor) = page.next_cursor else {
                return Ok(items);
            };
            next = format!("{first}&cursor={cursor}");
        }
    }
}

async fn sign(
    api: &Api,
    path: &str,
    login: &Login,
    name: Option<&str>,
) -> Result<Session, Failure> {
    let body = Person {
        email: &login.email,
        password: login.password.reveal(),
        name,
    };
    let call = Call::post(path, &body)?;
    let answer = patiently(api, &call, Caller::Nobody).await?;
    parse::<SignedIn>(api, &call, &answer).map(Session::from)
}

/// Asks again and again while it may still go well.
async fn patiently(api: &Api, call: &Call, caller: Caller<'_>) -> Result<Answer, Failure> {
    let (started, mut backoff) = (Instant::now(), Backoff::default());
    loop {
        let outcome = api.ask(call, caller).await;
        let retry_after = match &outcome {
            Ok(answer) if !answer.is_passing() => return outcome.map_err(|it| api.unreachable(it)),
            Ok(answer) => answer.retry_after,
            Err(Lost(_)) => None,
        };
        let pause = backoff.failed(retry_after);
        if started.elapsed() + pause > PATIENCE {
            return outcome.map_err(|lost| api.unreachable(lost));
        }
        sleep(pause).await;
    }
}

fn parse<T: DeserializeOwned>(api: &Api, call: &Call, answer: &Answer) -> Result<T, Failure> {
    if !answer.status.is_success() {
        return Err(api.refused(call, answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| api.refused(call, answer))
}
