//! Tokens, good ones and odd ones. What goes through all of the service is in `tests/api/session/token`.

use super::*;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    seal::{NONCE, Sealer},
    signing_key::{NewSigningKey, SigningKey},
};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use uuid::Uuid;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn proof() -> Proof {
    Proof {
        user: UserId(Uuid::from_u128(1)),
        session: SessionId(Uuid::from_u128(2)),
    }
}

fn ring(seed: u8) -> Ring {
    let sealer = Sealer::new(&[1; 32], None);
    let new = NewSigningKey::new(&sealer, [seed; 32], [0; NONCE]).unwrap();
    let key = SigningKey {
        id: new.public.id(),
        public: new.public,
        sealed: Some(new.sealed),
        created_at: now(),
        signs_from: now(),
        retirement: None,
    };
    Ring::default().next(vec![key], &sealer, now()).unwrap().0
}

fn sign(header: &str, claims: &str, key: &EncodingKey) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

/// A token that is signed as it should be, with a change to what it says.
fn forge(ring: &Ring, change: impl Fn(&mut Value, &mut Value)) -> String {
    let (id, key) = ring.signing(now()).unwrap();
    let mut header = json!({"typ": "JWT", "alg": "EdDSA", "kid": id.as_str()});
    let at = now().timestamp();
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": proof().user, "sid": proof().session,
        "iat": at, "exp": at + 60,
    });
    change(&mut header, &mut claims);
    sign(&header.to_string(), &claims.to_string(), key)
}

#[test]
fn a_token_proves_its_session_until_it_expires() {
    let ring = ring(1);
    let token = issue(&ring, proof(), now()).unwrap();
    let last = now() + ACCESS_LIFETIME - chrono::TimeDelta::seconds(1);
    assert_eq!(verify(&ring, &token, last), Ok(proof()));
    assert_eq!(
        verify(&ring, &token, now() + ACCESS_LIFETIME),
        Err(Refusal::Bad)
    );
    assert_eq!(
        verify(&self::ring(2), &token, now()),
        Err(Refusal::UnknownKey)
    );
    assert_eq!(verify(&ring, &forge(&ring, |_, _| {}), now()), Ok(proof()));
    assert!(issue(&Ring::default(), proof(), now()).is_err());
}

#[test]
fn every_claim_is_required_and_of_its_one_form() {
    let ring = ring(1);
    for claim in ["iss", "aud", "sub", "sid", "iat", "exp"] {
        let token = forge(&ring, |_, claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        assert_eq!(verify(&ring, &token, now()), Err(Refusal::Bad), "{claim}");
        for value in [json!(null), json!([]), json!({}), json!(true), json!("")] {
            let token = forge(&ring, |_, claims| claims[claim] = value.clone());
            assert_eq!(
                verify(&ring, &token, now()),
                Err(Refusal::Bad),
                "{claim} {value}"
            );
        }
    }
    let at = now().timestamp();
    for (claim, value) in [
        ("iss", json!("other")),
        ("iss", json!(["readout"])),
        ("aud", json!("other")),
        ("aud", json!(["readout-api"])),
        ("aud", json!(["readout-api", "other"])),
        ("sub", json!("no uuid")),
        ("sid", json!(7)),
        ("exp", json!("soon")),
        ("exp", json!((at + 60).to_string())),
        ("exp", json!(60.0 + 1_767_225_600.0)),
        ("exp", json!(at)),
        ("exp", json!(-1)),
        ("exp", json!(i64::MIN)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(at + 901)),
        ("iat", json!(at + 61)),
        ("iat", json!(at - 900)),
        ("iat", json!(i64::MIN)),
        ("nbf", json!(at)),
        ("nbf", json!("x")),
        ("admin", json!(true)),
    ] {
        let token = forge(&ring, |_, claims| claims[claim] = value.clone());
        assert_eq!(
            verify(&ring, &token, now()),
            Err(Refusal::Bad),
            "{claim} {value}"
        );
    }
}

#[test]
fn a_header_brings_nothing_along() {
    let ring = ring(1);
    for (member, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("typ", json!("at+jwt")),
        ("typ", json!(null)),
        ("kid", json!("other")),
        ("kid", json!(null)),
        ("kid", json!(["x"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jku", json!("https://example.com/jwks.json")),
        ("x5u", json!("https://example.com/x.pem")),
        ("x5c", json!(["AAAA"])),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
    ] {
        let token = forge(&ring, |header, _| header[member] = value.clone());
        assert_eq!(
            verify(&ring, &token, now()),
            Err(Refusal::Bad),
            "{member} {value}"
        );
    }
}

#[test]
fn what_is_there_twice_is_not_there() {
    let ring = ring(1);
    let (id, key) = ring.signing(now()).unwrap();
    let at = now().timestamp();
    let header = format!(r#"{{"typ":"JWT","alg":"EdDSA","kid":"{id}"}}"#);
    let claims = format!(
        r#"{{"iss":"readout","aud":"readout-api","sub":"{}","sid":"{}","iat":{at},"exp":{}}}"#,
        proof().user,
        proof().session,
        at + 60
    );
    assert_eq!(
        verify(&ring, &sign(&header, &claims, key), now()),
        Ok(proof())
    );
    for name in ["alg", "kid"] {
        let twice = header.replace('{', &format!(r#"{{"{name}":"EdDSA","#));
        let token = sign(&twice, &claims, key);
        assert_eq!(verify(&ring, &token, now()), Err(Refusal::Bad), "{twice}");
    }
    for (name, value) in [("exp", "1"), ("sub", "\"x\""), ("aud", "\"readout-api\"")] {
        let twice = claims.replace('{', &format!(r#"{{"{name}":{value},"#));
        let token = sign(&header, &twice, key);
        assert_eq!(verify(&ring, &token, now()), Err(Refusal::Bad), "{twice}");
    }
}

#[test]
fn nonsense_proves_nothing() {
    let ring = ring(1);
    let token = forge(&ring, |_, _| {});
    let (unsigned, signature) = token.rsplit_once('.').unwrap();
    let flipped: String = signature.chars().rev().collect();
    for text in [
        "",
        ".",
        "..",
        "a.b.c",
        unsigned,
        &format!("{unsigned}."),
        &format!("{unsigned}.{flipped}"),
        &format!("{token}x"),
        &format!("{token}="),
        &format!("{token}."),
        &format!("{token}.{signature}"),
        &"x".repeat(20_000),
    ] {
        assert_eq!(verify(&ring, text, now()), Err(Refusal::Bad), "{text}");
    }
}

/// What it costs, for ARCHITECTURE.md.
#[test]
#[ignore = "a measurement, of a release build"]
fn microseconds() {
    let ring = ring(1);
    let token = issue(&ring, proof(), now()).unwrap();
    let times = 10_000;
    let start = std::time::Instant::now();
    for _ in 0..times {
        verify(&ring, &token, now()).unwrap();
    }
    println!("verify: {:?}", start.elapsed() / times);
    let start = std::time::Instant::now();
    for _ in 0..times {
        issue(&ring, proof(), now()).unwrap();
    }
    println!("issue: {:?}", start.elapsed() / times);
}
