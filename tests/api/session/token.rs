//! Access tokens, forged in every way that we know of.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::support::{AUTH_SECRET, App, User, now};

/// The parts of a real token, to be changed and signed again with the real secret.
#[derive(Clone)]
struct Forgery {
    header: Value,
    claims: Value,
}

impl Forgery {
    fn of(user: &User) -> Self {
        let parts: Vec<_> = user.access_token.split('.').collect();
        let part = |text: &str| {
            let json = URL_SAFE_NO_PAD.decode(text).unwrap();
            serde_json::from_slice(&json).unwrap()
        };
        Self {
            header: part(parts[0]),
            claims: part(parts[1]),
        }
    }

    fn with_header(mut self, member: &str, value: Value) -> Self {
        self.header[member] = value;
        self
    }

    fn with_claim(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }

    fn without(mut self, claim: &str) -> Self {
        let removed = self.claims.as_object_mut().unwrap().remove(claim);
        assert!(removed.is_some(), "a token should have {claim}");
        self
    }

    fn message(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    fn signed(&self) -> String {
        self.signed_with(AUTH_SECRET, Algorithm::HS256)
    }

    fn signed_with(&self, secret: &str, algorithm: Algorithm) -> String {
        let (message, key) = (self.message(), EncodingKey::from_secret(secret.as_bytes()));
        let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

#[tokio::test]
async fn a_token_has_the_claims_that_are_promised() {
    let app = App::start().await;
    let user = app.user().await;
    let Forgery { header, claims } = Forgery::of(&user);
    assert_eq!(header["alg"], "HS256");
    assert!(header["kid"].is_string());
    assert_eq!(claims["sub"], *user.id);
    let lifetime = claims["exp"].as_i64().unwrap() - now().timestamp();
    assert!((870..=900).contains(&lifetime), "{lifetime}");
    // Without this the forgeries below would prove nothing.
    let again = app.anonymous().with_token(&Forgery::of(&user).signed());
    again.get("/auth/session").await.expect(200);
}

#[tokio::test]
async fn a_forged_token_is_no_token() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let real = Forgery::of(&user);
    let unsigned = real.clone().with_header("alg", json!("none"));
    let hs512 = real.clone().with_header("alg", json!("HS512"));
    let mut forgeries = vec![
        format!("{}.", unsigned.message()),
        unsigned.message(),
        unsigned.signed(),
        hs512.signed_with(AUTH_SECRET, Algorithm::HS512),
        real.signed_with("another secret, of more than 32 bytes", Algorithm::HS256),
        real.clone().with_claim("sub", json!(other.id)).signed(),
        real.clone()
            .with_claim("exp", json!(now().timestamp() - 1))
            .signed(),
        real.clone().with_claim("iss", json!("someone")).signed(),
        real.clone().with_claim("aud", json!("something")).signed(),
        real.clone().with_header("kid", json!("another")).signed(),
        format!("{}x", user.access_token),
        user.refresh_token.clone(),
        String::new(),
        "a.b.c".to_owned(),
    ];
    let claims = ["iss", "aud", "sub", "sid", "exp"];
    forgeries.extend(claims.map(|claim| real.clone().without(claim).signed()));

    let nothing = app.anonymous().get("/devices").await;
    let nothing = nothing.problem(401, "unauthenticated").essence();
    for forgery in forgeries {
        let answer = app.anonymous().with_token(&forgery).get("/devices").await;
        let answer = answer.problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.essence(), nothing, "{forgery}");
    }
}

#[tokio::test]
async fn a_token_is_taken_from_the_bearer_scheme_alone() {
    let app = App::start().await;
    let user = app.user().await;
    let with = async |value: &str| {
        let client = app.anonymous().with("authorization", value);
        client.get("/devices").await
    };
    with(&format!("bearer {}", user.access_token))
        .await
        .expect(200);
    for scheme in ["Basic ", "Token ", ""] {
        let answer = with(&format!("{scheme}{}", user.access_token)).await;
        answer.problem(401, "unauthenticated");
    }
    let in_url = format!("/devices?access_token={}", user.access_token);
    let answer = app.anonymous().get(&in_url).await;
    answer.problem(401, "unauthenticated");
}
