//! Access tokens: JWTs (RFC 7519) that are signed with HS256 and live for 15 minutes.

use domain::{Timestamp, hex, session::SessionId, user::UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long an access token lives.
pub(crate) const ACCESS_LIFETIME: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Longer texts are not even looked at.
const MAX_LENGTH: usize = 2_048;

const ISSUER: &str = "readout";
const AUDIENCE: &str = "readout-api";

/// The claims of an access token; each of them is required.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// What a token proves: its bearer opened this session as this user. Whether the session is still
/// open, the token does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

/// Signs and verifies access tokens.
pub(crate) struct Tokens {
    key_id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// Keys from a secret of at least 32 bytes.
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Checked against the clock that handlers see, below.
        validation.validate_exp = false;
        Self {
            key_id: key_id(secret),
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// A token for a session, and how many seconds it lives.
    pub(crate) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.key_id.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            iat: now.timestamp(),
            exp: (now + ACCESS_LIFETIME).timestamp(),
        };
        encode(&header, &claims, &self.signing)
    }

    /// What a token proves, if it is one of ours and has not expired.
    ///
    /// The algorithm is pinned, the key is found by `kid` among our own alone, and keys that the
    /// header brings along (`jwk`, `jku`, `x5u`) are never looked at.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Proof> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let header = decode_header(token).ok()?;
        if header.kid.as_deref() != Some(self.key_id.as_str()) || header.crit.is_some() {
            return None;
        }
        let claims = decode::<Claims>(token, &self.verifying, &self.validation)
            .ok()?
            .claims;
        let lives = claims.exp > now.timestamp();
        lives.then_some(Proof {
            user: claims.sub,
            session: claims.sid,
        })
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Names a key without telling it.
fn key_id(secret: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(b"readout key id")
        .chain_update(secret)
        .finalize();
    let first: Vec<u8> = digest.iter().copied().take(8).collect();
    hex::encode(&first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};
    use uuid::Uuid;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn proof() -> Proof {
        Proof {
            user: UserId(Uuid::from_u128(1)),
            session: SessionId(Uuid::from_u128(2)),
        }
    }

    fn forge(change: impl Fn(&mut Value, &mut Value)) -> String {
        let tokens = Tokens::new(SECRET);
        let mut header = json!({"typ": "JWT", "alg": "HS256", "kid": tokens.key_id});
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": proof().user, "sid": proof().session,
            "iat": now().timestamp(), "exp": now().timestamp() + 60,
        });
        change(&mut header, &mut claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &tokens.signing, Algorithm::HS256)
                .unwrap();
        format!("{message}.{signature}")
    }

    #[test]
    fn a_token_proves_its_session_until_it_expires() {
        let tokens = Tokens::new(SECRET);
        let token = tokens.issue(proof().user, proof().session, now()).unwrap();
        let last = now() + ACCESS_LIFETIME - chrono::TimeDelta::seconds(1);
        assert_eq!(tokens.verify(&token, last), Some(proof()));
        assert_eq!(tokens.verify(&token, now() + ACCESS_LIFETIME), None);
        assert_eq!(
            Tokens::new(b"another secret of at least 32 byt").verify(&token, now()),
            None
        );
        assert_eq!(tokens.verify(&forge(|_, _| {}), now()), Some(proof()));
    }

    #[test]
    fn every_claim_and_the_key_are_required() {
        let tokens = Tokens::new(SECRET);
        for claim in ["iss", "aud", "sub", "sid", "iat", "exp"] {
            let token = forge(|_, claims| {
                claims.as_object_mut().unwrap().remove(claim);
            });
            assert_eq!(tokens.verify(&token, now()), None, "without {claim}");
        }
        for (claim, value) in [
            ("iss", json!("other")),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("sub", json!("no uuid")),
            ("exp", json!("soon")),
            ("exp", json!(now().timestamp())),
        ] {
            let token = forge(|_, claims| claims[claim] = value.clone());
            assert_eq!(tokens.verify(&token, now()), None, "{claim} {value}");
        }
        for (member, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS512")),
            ("alg", json!("RS256")),
            ("kid", json!("other")),
            ("kid", json!(null)),
            ("crit", json!(["exp"])),
        ] {
            let token = forge(|header, _| header[member] = value.clone());
            assert_eq!(tokens.verify(&token, now()), None, "{member} {value}");
        }
    }

    #[test]
    fn nonsense_proves_nothing() {
        let tokens = Tokens::new(SECRET);
        let token = forge(|_, _| {});
        let unsigned = token.rsplit_once('.').unwrap().0;
        for text in [
            "",
            ".",
            "..",
            "a.b.c",
            unsigned,
            &format!("{unsigned}."),
            &format!("{token}x"),
            &"x".repeat(20_000),
        ] {
            assert_eq!(tokens.verify(text, now()), None);
        }
    }
}
