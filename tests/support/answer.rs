//! An answer of the service, and what a test may say about it.

use chrono::{DateTime, Utc};
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::inspection::inspect;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked, for messages: `POST /devices`.
    asked: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body as it came. Numbers are compared here, where every digit is still there.
    pub(crate) text: String,
    /// The body as JSON, or null if it is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn read(asked: String, response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        inspect(&asked, status, &headers, &body);
        Self {
            asked,
            status,
            headers,
            text,
            body,
        }
    }

    /// It must have this status, and name its request.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text);
        assert!(
            !self.header("x-request-id").is_empty(),
            "{}: no request id",
            self.asked
        );
        self
    }

    /// It must be a complete problem with this status and code.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        let what = format!("{}: {}", answer.asked, answer.text);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{what}"
        );
        let body = &answer.body;
        assert_eq!(body["code"], code, "{what}");
        assert_eq!(body["status"], status, "{what}");
        assert_eq!(body["request_id"], answer.header("x-request-id"), "{what}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(body[member].is_string(), "{member} is missing: {what}");
        }
        answer
    }

    /// The codes of the entry of `errors` that blames this JSON pointer or parameter.
    #[track_caller]
    pub(crate) fn blames(self, whom: &str, code: &str) -> Self {
        let errors = self.body["errors"].as_array();
        let errors = errors.unwrap_or_else(|| panic!("no errors: {}", self.text));
        let found = errors.iter().any(|error| {
            let blamed = error["pointer"].as_str().or(error["parameter"].as_str());
            blamed == Some(whom) && error["code"] == code && error["detail"].is_string()
        });
        assert!(found, "no {code} at {whom}: {}", self.text);
        self
    }

    /// A header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// A member that is a text, such as an id.
    #[track_caller]
    pub(crate) fn text_at(&self, pointer: &str) -> &str {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text at {pointer}: {}", self.text))
    }

    /// A member that is a time, written as the contract says.
    #[track_caller]
    pub(crate) fn time_at(&self, pointer: &str) -> DateTime<Utc> {
        let text = self.text_at(pointer);
        assert!(text.ends_with('Z'), "not in UTC: {text}");
        text.parse().unwrap()
    }

    /// The member `data` of a list.
    #[track_caller]
    pub(crate) fn data(&self) -> &Vec<Value> {
        let data = self.body["data"].as_array();
        data.unwrap_or_else(|| panic!("no list: {}", self.text))
    }

    /// The body in a type of the test's own, where digits must be kept.
    #[track_caller]
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body without what differs between two requests for the same thing.
    pub(crate) fn essence(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(members) = body.as_object_mut() {
            members.remove("instance");
            members.remove("request_id");
        }
        body
    }
}
