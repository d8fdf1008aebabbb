//! Access tokens: JWTs (RFC 7519) that are signed with `EdDSA` (RFC 8037) and live for 15 minutes.

use super::{SigningKeys, ring::Ring};
use crate::problem::{Problem, ProblemKind};
use domain::{
    Timestamp,
    session::{ACCESS_LIFETIME, SessionId},
    signing_key::SigningKeyId,
    user::UserId,
};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

/// Longer texts are not even looked at.
const MAX_LENGTH: usize = 2_048;

/// How far the clock of the instance that issued a token may be ahead of ours, in seconds.
const SKEW: i64 = 60;

const ISSUER: &str = "readout";
const AUDIENCE: &str = "readout-api";

/// The claims of an access token: each of them is required, each is there once, and there are no others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// Why a token proves nothing.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// It is none of ours, or has expired.
    Bad,
    /// It names a key that may have been made since keys were last read.
    UnknownKey,
}

/// Signs and verifies access tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) keys: SigningKeys,
}

impl Tokens {
    pub(crate) fn new(keys: SigningKeys) -> Self {
        Self { keys }
    }

    /// A token for a session.
    pub(crate) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<String, Problem> {
        issue(&self.keys.ring(), Proof { user, session }, now)
    }

    /// What a token proves, if it is one of ours and has not expired.
    pub(crate) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Proof>, Problem> {
        match verify(&self.keys.ring(), token, now) {
            Ok(proof) => return Ok(Some(proof)),
            Err(Refusal::Bad) => return Ok(None),
            Err(Refusal::UnknownKey) => {}
        }
        let refreshed = self.keys.refresh_for_unknown(now).await;
        if !self.keys.are_known() {
            let unavailable = Problem::new(ProblemKind::Unavailable);
            return Err(match refreshed {
                Ok(()) => unavailable,
                Err(error) => unavailable.because(error),
            });
        }
        Ok(verify(&self.keys.ring(), token, now).ok())
    }
}

fn issue(ring: &Ring, proof: Proof, now: Timestamp) -> Result<String, Problem> {
    let (id, key) = ring
        .signing(now)
        .ok_or_else(|| Problem::new(ProblemKind::Unavailable))?;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: proof.user,
        sid: proof.session,
        iat: now.timestamp(),
        exp: (now + ACCESS_LIFETIME).timestamp(),
    };
    encode(&header(id), &claims, key)
        .map_err(|error| Problem::new(ProblemKind::Internal).because(error))
}

/// The header of all of our tokens.
fn header(id: &SigningKeyId) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(id.to_string());
    header
}

/// The algorithm is pinned, the key is found by `kid` among our own alone, and a header that brings
/// anything else along (`jwk`, `jku`, `x5c`, `crit`, …) is none of ours.
fn verify(ring: &Ring, token: &str, now: Timestamp) -> Result<Proof, Refusal> {
    if token.len() > MAX_LENGTH {
        return Err(Refusal::Bad);
    }
    let given = decode_header(token).map_err(|_| Refusal::Bad)?;
    let id = given.kid.as_deref().ok_or(Refusal::Bad)?;
    let id = SigningKeyId::parse(id).map_err(|_| Refusal::Bad)?;
    if given != header(&id) {
        return Err(Refusal::Bad);
    }
    let key = ring.verifying(&id, now).ok_or(Refusal::UnknownKey)?;
    let verified = decode::<Claims>(token, key, &signature_alone());
    let Claims {
        iss,
        aud,
        sub,
        sid,
        iat,
        exp,
    } = verified.map_err(|_| Refusal::Bad)?.claims;
    let now = now.timestamp();
    let is_ours = iss == ISSUER && aud == AUDIENCE;
    let lives = iat <= now + SKEW && exp > now;
    let lifetime = exp.checked_sub(iat).ok_or(Refusal::Bad)?;
    if is_ours && lives && (1..=ACCESS_LIFETIME.num_seconds()).contains(&lifetime) {
        let (user, session) = (sub, sid);
        Ok(Proof { user, session })
    } else {
        Err(Refusal::Bad)
    }
}

/// The library checks the algorithm and the signature. Claims are checked above, where each is of one
/// type, and against the clock that handlers see.
fn signature_alone() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

#[cfg(test)]
mod tests;
