//! A device as an independent client: it knows the API, and nothing of the program.

use crate::reading::Span;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// How long an answer may take before its outcome counts as unknown.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was answered to a request with readings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    /// All of them are stored, so many of them by this very request.
    Stored { created: u64 },
    /// Nobody knows: the connection broke, or the time was over.
    Broken,
    /// Nobody knows: the server says that something failed.
    Failed,
}

#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

/// A device that readings are posted as.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Device {
    pub(crate) id: String,
    device_key: String,
}

/// The answer to a batch.
#[derive(Debug, Deserialize)]
struct Receipt {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build();
        Self {
            http: http.unwrap(),
            base: format!("http://{address}/api/v1"),
        }
    }

    /// Signs up, and provisions devices.
    pub(crate) async fn provision(&self, devices: usize) -> Vec<Device> {
        let body = json!({"email": "torture@example.com", "password": "correct horse battery"});
        let signed = self.call("auth/sign-up", "", &body).await;
        let token = signed.get("access_token").and_then(Value::as_str).unwrap();
        let mut provisioned = Vec::new();
        for number in 0..devices {
            let body = json!({"name": format!("device {number}")});
            let device = self.call("devices", token, &body).await;
            provisioned.push(serde_json::from_value(device).unwrap());
        }
        provisioned
    }

    async fn call(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/{path}", self.base));
        let answer = request.bearer_auth(token).json(body).send().await;
        answer.unwrap().json().await.unwrap()
    }

    /// Posts readings once. An answer that the API does not know ends the test.
    pub(crate) async fn post(&self, device: &Device, span: Span, body: &str) -> Verdict {
        let request = self
            .http
            .post(format!("{}/readings", self.base))
            .header("x-device-key", &device.device_key)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let Ok(answer) = request.send().await else {
            return Verdict::Broken;
        };
        let status = answer.status().as_u16();
        let Ok(text) = answer.text().await else {
            return Verdict::Broken;
        };
        match (status, span.count) {
            (201, 1) => Verdict::Stored { created: 1 },
            (200, 1) => Verdict::Stored { created: 0 },
            (200, count) => {
                let receipt: Receipt = serde_json::from_str(&text).unwrap();
                let stored = receipt.accepted + receipt.duplicates;
                assert_eq!((stored, receipt.rejected), (count, 0), "{text}");
                Verdict::Stored {
                    created: receipt.accepted,
                }
            }
            (500..600, _) => Verdict::Failed,
            _ => panic!("an answer that was not to be expected: {status} {text}"),
        }
    }
}
