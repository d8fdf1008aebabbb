//! The public API of a running Readout, as far as the tools need it.

mod account;
mod reading;
mod stream;
mod transport;

pub(crate) use account::Account;
pub(crate) use reading::{Posted, Receipt};
pub(crate) use stream::{Lines, Next, Opened};
pub(crate) use transport::{Answer, Lost};

use crate::{failure::Failure, secret::Secret, service::Url};
use bytes::Bytes;
use domain::device::DeviceKey;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transport::Transport;

const AGENT: &str = concat!("readout-client/", env!("CARGO_PKG_VERSION"));

/// A running Readout.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    transport: Transport,
    pub(crate) url: Arc<Url>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    Nobody,
    User(&'a Secret),
    Device(&'a DeviceKey),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    media_type: Option<&'static str>,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
}

impl Call {
    /// A path below `/api/v1`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            media_type: None,
            body: Bytes::new(),
            headers: Vec::new(),
        }
    }

    /// A body of JSON for it.
    pub(crate) fn post<T: Serialize>(path: impl Into<String>, body: &T) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::other(error.to_string()))?;
        Ok(Self::post_bytes(path, "application/json", body.into()))
    }

    /// Any body for it.
    fn post_bytes(path: impl Into<String>, media_type: &'static str, body: Bytes) -> Self {
        Self {
            method: Method::POST,
            media_type: Some(media_type),
            body,
            ..Self::get(path)
        }
    }

    /// With a header more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// For people.
    fn what(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

/// A problem as the service tells it (RFC 9457).
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<Blamed>,
}

/// What is wrong with a member or parameter.
#[derive(Debug, Deserialize)]
struct Blamed {
    pointer: Option<String>,
    parameter: Option<String>,
    #[serde(default)]
    detail: String,
}

impl Api {
    /// Finds out whether Readout runs there.
    pub(crate) async fn connect(url: Url) -> Result<Self, Failure> {
        let api = Self {
            transport: Transport::new(&url)?,
            url: Arc::new(url),
        };
        // Without a credential it is refused, in the way that only Readout refuses it.
        let answer = api.ask(&Call::get("/auth/session"), Caller::Nobody).await;
        let answer = answer.map_err(|lost| api.unreachable(lost))?;
        match answer.problem() {
            Some(_) => Ok(api),
            None => Err(api.stranger(&answer)),
        }
    }

    /// Asks once.
    pub(crate) async fn ask(&self, call: &Call, caller: Caller<'_>) -> Result<Answer, Lost> {
        let request = self.request(call, caller).map_err(Lost)?;
        self.transport.ask(request).await
    }

    /// The request for it.
    fn request(&self, call: &Call, caller: Caller<'_>) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}/api/v1{}", self.url.text, call.path))
            .header(header::USER_AGENT, AGENT);
        if let Some(media_type) = call.media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        request = match caller {
            Caller::Nobody => request,
            Caller::User(token) => {
                let bearer = format!("Bearer {}", token.reveal());
                request.header(header::AUTHORIZATION, bearer)
            }
            Caller::Device(key) => request.header("x-device-key", key.reveal()),
        };
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        // The message of an error might repeat what stands in a header.
        request
            .body(Full::new(call.body.clone()))
            .map_err(|_| "the request cannot be written".to_owned())
    }

    /// There was no answer.
    pub(crate) fn unreachable(&self, Lost(cause): Lost) -> Failure {
        Failure::Unreachable {
            url: self.url.text.clone(),
            cause,
        }
    }

    /// Why an answer is not the one that was hoped for.
    pub(crate) fn refused(&self, call: &Call, answer: &Answer) -> Failure {
        match answer.problem() {
            Some(problem) => Failure::Refused {
                what: call.what(),
                status: answer.status.as_u16(),
                detail: problem.words(),
                code: problem.code,
            },
            None => self.stranger(answer),
        }
    }

    fn stranger(&self, answer: &Answer) -> Failure {
        let status = answer.status;
        let got = match &answer.location {
            Some(location) => format!("{status}, it redirects to {location}"),
            None => format!("{status} {}", answer.media_type),
        };
        Failure::NotReadout {
            url: self.url.text.clone(),
            got: got.trim_end().to_owned(),
        }
    }
}

impl Problem {
    /// What happened, and what is to blame.
    fn words(&self) -> String {
        let blamed = self.errors.iter().map(|it| {
            let whom = it.parameter.as_deref().or(it.pointer.as_deref());
            format!("{} {}", whom.unwrap_or_default(), it.detail)
        });
        let mut words = vec![self.detail.clone().unwrap_or_default()];
        words.extend(blamed.take(3));
        words.retain(|it| !it.trim().is_empty());
        words.join(" ").trim_end_matches('.').to_owned()
    }
}

impl Answer {
    /// The problem that it tells of, if it is one.
    fn problem(&self) -> Option<Problem> {
        let is_problem = self.media_type.starts_with("application/problem+json");
        is_problem.then(|| serde_json::from_slice(&self.body).ok())?
    }

    /// The code of the problem, or the status where a proxy answered instead of the service.
    pub(crate) fn code(&self) -> String {
        let problem = self.problem().map(|problem| problem.code);
        problem.unwrap_or_else(|| format!("status {}", self.status.as_u16()))
    }

    /// Whether the same may go well a little later.
    pub(crate) fn is_passing(&self) -> bool {
        [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ]
        .contains(&self.status)
    }
}

/// The query of a URL.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    serde_html_form::to_string(pairs).unwrap_or_default()
}
