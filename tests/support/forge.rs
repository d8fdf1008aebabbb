//! Access tokens that a test signs itself, with a key that the service takes for one of its own.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::{App, User, eventually, now};

/// The key of RFC 8037, appendix A: known to everyone, and so to be found in no other place.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
pub(crate) const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

/// The beginning of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Puts the public half beside those of the service, as one that signs no more: with it tokens can be made
/// that are wrong in one thing alone. Waits until both instances take a token for this user that is not.
pub(crate) async fn admit_forger(app: &App, user: &User) {
    let bytes = URL_SAFE_NO_PAD.decode(PUBLIC).unwrap();
    let hex = bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let insert = format!(
        "insert into signing_keys values ('{THUMBPRINT}', '\\x{hex}', null, now() - interval '2 h', \
         now() - interval '2 h', now() - interval '1 h', now() + interval '1 h')"
    );
    app.sql().await.run(&insert).await.unwrap();
    let client = app.anonymous().with_token(&Forgery::of(user).signed());
    for instance in [0, 1] {
        // Keys are looked for once a second.
        eventually("the key", Duration::from_secs(15), async || {
            client.on(instance).get("/devices").await.status == 200
        })
        .await;
    }
}

fn seed(seed: &[u8]) -> EncodingKey {
    EncodingKey::from_ed_der(&[&PKCS8, seed].concat())
}

/// The parts of a token, to be changed and signed.
#[derive(Debug, Clone)]
pub(crate) struct Forgery {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Forgery {
    /// A token for the session of this user that is in order.
    pub(crate) fn of(user: &User) -> Self {
        let mut forgery = Self::read(&user.access_token);
        forgery.header["kid"] = json!(THUMBPRINT);
        forgery
    }

    /// What a token says.
    pub(crate) fn read(token: &str) -> Self {
        let mut parts = token.split('.').map(|part| {
            let json = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            serde_json::from_slice(&json).unwrap_or_default()
        });
        Self {
            header: parts.next().unwrap(),
            claims: parts.next().unwrap(),
        }
    }

    pub(crate) fn header(mut self, member: &str, value: Value) -> Self {
        self.header[member] = value;
        self
    }

    pub(crate) fn claim(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }

    /// Without a member of the header, or a claim.
    pub(crate) fn without(mut self, name: &str) -> Self {
        for part in [&mut self.header, &mut self.claims] {
            part.as_object_mut().unwrap().remove(name);
        }
        self
    }

    /// That ended a minute ago.
    pub(crate) fn expired(self) -> Self {
        let now = now().timestamp();
        self.claim("iat", json!(now - 960))
            .claim("exp", json!(now - 60))
    }

    /// What is signed.
    pub(crate) fn message(&self) -> String {
        message(&self.header.to_string(), &self.claims.to_string())
    }

    pub(crate) fn signed(&self) -> String {
        sign(&self.message())
    }

    /// Signed by a key that nobody knows.
    pub(crate) fn signed_by_a_stranger(&self) -> String {
        sign_with(&self.message(), &seed(&[7; 32]), Algorithm::EdDSA)
    }

    /// Authenticated by HMAC, as if this were a shared secret.
    pub(crate) fn signed_with_secret(&self, secret: &[u8], algorithm: Algorithm) -> String {
        sign_with(
            &self.message(),
            &EncodingKey::from_secret(secret),
            algorithm,
        )
    }
}

/// Header and claims as they are written here.
pub(crate) fn message(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", part(header), part(claims))
}

/// Signs with the key that was admitted.
pub(crate) fn sign(message: &str) -> String {
    let key = seed(&URL_SAFE_NO_PAD.decode(SEED).unwrap());
    sign_with(message, &key, Algorithm::EdDSA)
}

fn sign_with(message: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}
