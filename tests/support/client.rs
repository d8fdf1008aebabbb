//! A client of the service with the credential of some role.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, redirect};
use serde_json::Value;

use super::{Answer, secrets::remember};

/// The media type of most bodies.
pub(crate) const JSON: &str = "application/json";

const API: &str = "/api/v1";

/// Asks the instances in turn, unless pointed at one with [`Client::on`].
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    instances: Arc<[String]>,
    turn: Arc<AtomicUsize>,
    pinned: Option<usize>,
    base: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    /// One without a credential.
    pub(crate) fn anonymous(instances: Arc<[String]>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build();
        Self {
            http: http.unwrap(),
            instances,
            turn: Arc::default(),
            pinned: None,
            base: API,
            headers: Vec::new(),
        }
    }

    /// The same client, always asking this instance.
    pub(crate) fn on(&self, instance: usize) -> Self {
        Self {
            pinned: Some(instance),
            ..self.clone()
        }
    }

    /// The same client, with paths that begin at the root of the service and not of the API.
    pub(crate) fn at_root(&self) -> Self {
        Self {
            base: "",
            ..self.clone()
        }
    }

    /// The same client, sending one header more.
    pub(crate) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.into()));
        client
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn with_key(&self, key: &str) -> Self {
        self.with("x-device-key", key)
    }

    /// Takes back every header that was added.
    pub(crate) fn forget_credential(&mut self) {
        self.headers.clear();
    }

    /// Where the next request goes.
    fn instance(&self) -> &str {
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed) % self.instances.len();
        &self.instances[self.pinned.unwrap_or_else(turn)]
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{}{path}", self.instance(), self.base));
        let headers = self.headers.iter();
        headers.fold(request, |request, (name, value)| {
            request.header(*name, value)
        })
    }

    /// Asks with anything, and panics only if there is no answer at all.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let asked = format!("{method} {path}");
        let answer = self.try_ask(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{asked}: {error:?}"))
    }

    /// Asks with anything, where a lost connection is no surprise.
    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> reqwest::Result<Answer> {
        let asked = format!("{method} {path}");
        let mut request = self.request(method, path);
        if let Some((media_type, body)) = body {
            if media_type == JSON && body.len() < 4_096 {
                remember(&body);
            }
            request = request.header("content-type", media_type).body(body);
        }
        Ok(Answer::read(asked, request.send().await?).await)
    }

    /// Asks, and leaves the body to be read piece by piece, as it comes.
    pub(crate) async fn open(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.ask(Method::HEAD, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    /// For bodies that must go out digit by digit, or that are no JSON.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.ask(Method::POST, path, Some((JSON, body.into())))
            .await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        self.ask(Method::PATCH, path, Some((JSON, body))).await
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut page = self.get(path).await.expect(200);
        loop {
            items.extend(page.data().clone());
            let Some(cursor) = page.body["next_cursor"].as_str() else {
                return items;
            };
            let joint = if path.contains('?') { '&' } else { '?' };
            let next = format!("{path}{joint}cursor={cursor}");
            page = self.get(&next).await.expect(200);
        }
    }
}
