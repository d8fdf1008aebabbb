//! Tokens that are wrong in one thing each.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::support::{AUTH_SECRET, FORGER, Forgery, User, message, now, sign};

/// What a token may be called, and the token.
pub(super) type Row = (String, String);

pub(super) fn rows<const N: usize>(what: &str, rows: [(&str, String); N]) -> Vec<Row> {
    let named = rows.map(|(name, token)| (format!("{what}: {name}"), token));
    named.into()
}

/// The algorithm is another one.
pub(super) fn algorithms(real: &Forgery) -> Vec<Row> {
    let public = URL_SAFE_NO_PAD.decode(FORGER).unwrap();
    let with = |algorithm: &str| real.clone().header("alg", json!(algorithm));
    let unsigned = |algorithm| format!("{}.", with(algorithm).message());
    let hs256 = with("HS256");
    let hmac = |secret: &[u8]| hs256.signed_with_secret(secret, Algorithm::HS256);
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{FORGER}\n-----END PUBLIC KEY-----\n");
    rows(
        "alg",
        [
            ("none", unsigned("none")),
            ("nOnE", unsigned("nOnE")),
            ("NONE", unsigned("NONE")),
            ("empty", unsigned("")),
            ("none without a dot", with("none").message()),
            ("none with a signature", with("none").signed()),
            ("null", real.clone().header("alg", json!(null)).signed()),
            ("missing", real.clone().without("alg").signed()),
            ("HS256 with the public key", hmac(&public)),
            (
                "HS256 with the public key in base 64",
                hmac(FORGER.as_bytes()),
            ),
            ("HS256 with the public key in PEM", hmac(pem.as_bytes())),
            ("HS256 with AUTH_SECRET", hmac(AUTH_SECRET.as_bytes())),
            ("HS256 with nothing", hmac(b"")),
            (
                "HS512",
                with("HS512").signed_with_secret(&public, Algorithm::HS512),
            ),
            ("RS256", with("RS256").signed()),
            ("ES256", with("ES256").signed()),
            ("eddsa", with("eddsa").signed()),
        ],
    )
}

/// The signature is missing, or of something else.
pub(super) fn signatures(real: &Forgery, other: &User) -> Vec<Row> {
    let signed = real.signed();
    let (message, signature) = signed.rsplit_once('.').unwrap();
    let promoted = real.clone().claim("sub", json!(other.id));
    let short: String = signature.chars().skip(1).collect();
    rows(
        "signature",
        [
            ("empty", format!("{message}.")),
            ("stripped", message.to_owned()),
            ("short", format!("{message}.{short}")),
            ("long", format!("{signed}A")),
            ("padded", format!("{signed}==")),
            ("of zeros", format!("{message}.{}", "A".repeat(86))),
            (
                "of other claims",
                format!("{}.{signature}", promoted.message()),
            ),
            ("of a stranger", real.signed_by_a_stranger()),
            ("twice", format!("{signed}.{signature}")),
            (
                "in JSON",
                json!({"payload": message, "signature": signature}).to_string(),
            ),
        ],
    )
}

/// The header brings a key along, or names one that is none.
pub(super) fn headers(real: &Forgery) -> Vec<Row> {
    let strange =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vntTrTzsM1XwLHY"});
    let url = json!("https://example.com/keys.json");
    let with = |member: &str, value: Value| real.clone().header(member, value);
    let kid = |value: Value| with("kid", value).signed();
    rows(
        "header",
        [
            ("jwk", with("jwk", strange.clone()).signed_by_a_stranger()),
            (
                "jwk without kid",
                with("jwk", strange).without("kid").signed_by_a_stranger(),
            ),
            ("jku", with("jku", url.clone()).signed_by_a_stranger()),
            ("jku, well signed", with("jku", url.clone()).signed()),
            ("x5u", with("x5u", url).signed()),
            ("x5c", with("x5c", json!(["MIIB"])).signed()),
            ("kid of a path", kid(json!("../../../../../../dev/null"))),
            ("kid of SQL", kid(json!("' union select 'x' --"))),
            ("kid of nobody", kid(json!("A".repeat(43)))),
            ("kid of non-ASCII", kid(json!("é".repeat(43)))),
            ("kid of a number", kid(json!(1))),
            ("kid null", kid(json!(null))),
            ("kid in a list", kid(json!([real.header["kid"]]))),
            ("kid missing", real.clone().without("kid").signed()),
            ("crit", with("crit", json!(["exp"])).signed()),
            (
                "b64",
                with("crit", json!(["b64"]))
                    .header("b64", json!(false))
                    .signed(),
            ),
            ("zip", with("zip", json!("DEF")).signed()),
            ("another typ", with("typ", json!("JWE")).signed()),
        ],
    )
}

/// The claims are not those of a token of ours, though it is well signed.
pub(super) fn claims(real: &Forgery, other: &User) -> Vec<Row> {
    let now = now().timestamp();
    let with = |claim: &str, value: Value| real.clone().claim(claim, value).signed();
    let strange = |claim: &'static str| {
        let (missing, null) = (
            real.clone().without(claim).signed(),
            with(claim, json!(null)),
        );
        let listed = with(claim, json!([real.claims[claim]]));
        rows(
            claim,
            [("missing", missing), ("null", null), ("in a list", listed)],
        )
    };
    let (header, body) = (real.header.to_string(), real.claims.to_string());
    let twice = |more: &str| sign(&message(&header, &body.replacen('{', more, 1)));
    let mut all = rows(
        "claim",
        [
            ("exp past", real.clone().expired().signed()),
            ("exp now", with("exp", json!(now))),
            ("exp of text", with("exp", json!((now + 60).to_string()))),
            ("exp of words", with("exp", json!("never"))),
            (
                "exp with a fraction",
                with("exp", json!(f64::from(u32::MAX) + 0.5)),
            ),
            ("exp negative", with("exp", json!(-1))),
            ("exp far away", with("exp", json!(now + 86_400))),
            ("exp too large", with("exp", json!(u64::MAX))),
            ("exp twice", twice(r#"{"exp":1,"#)),
            ("iat to come", with("iat", json!(now + 600))),
            ("nbf to come", with("nbf", json!(now + 600))),
            ("nbf of text", with("nbf", json!("x"))),
            ("iss of another", with("iss", json!("someone"))),
            ("aud of another", with("aud", json!("something"))),
            ("sub of another", with("sub", json!(other.id))),
            ("sub of text", with("sub", json!("admin"))),
            ("sub twice", twice(&format!(r#"{{"sub":"{}","#, other.id))),
            (
                "sid of another",
                with(
                    "sid",
                    Forgery::read(&other.access_token).claims["sid"].clone(),
                ),
            ),
            ("sid of nobody", with("sid", json!(other.id))),
            ("one more", with("admin", json!(true))),
        ],
    );
    for claim in ["exp", "iat", "iss", "aud", "sub", "sid"] {
        all.extend(strange(claim));
    }
    all
}
