//! Secrets like canaries: what clients send and are given in secret is nowhere else, neither in the log at its most
//! talkative nor in the database.

use serde_json::{Value, json};

use crate::support::{
    App, Client, Postbox, RESET, Server, VERIFY, ago, fresh_email, hex, reading_at,
};

const FIRST: &str = "canary number one, a yellow one";
const SECOND: &str = "canary number two, a green one";
const THIRD: &str = "canary number three, a red one";
const WRONG: &str = "canary that is no password at all";

/// Every secret of the session, by what it is.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn keep(&mut self, what: &'static str, secret: &str) -> String {
        assert!(secret.len() > 20, "{what}: {secret:?}");
        self.0.push((what, secret.to_owned()));
        secret.to_owned()
    }

    /// Each in the ways that it could be written: as it is, in hex, as JSON, and without what comes before its digits.
    fn forms(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().flat_map(|(what, secret)| {
            let hex = hex(secret);
            let bytes = format!("{:?}", secret.as_bytes());
            let digits = secret.split_at(4).1.to_owned();
            [digits, hex, bytes].map(|form| (*what, form))
        })
    }
}

async fn ask(client: &Client, path: &str, body: Value, status: u16) -> Value {
    client.post(path, &body).await.expect(status).body
}

/// Signs up, in, and stays signed in.
async fn signed_in(canaries: &mut Canaries, client: &Client) -> (String, Client) {
    let email = fresh_email();
    let credentials = json!({"email": email, "password": canaries.keep("password", FIRST)});
    ask(client, "/auth/sign-up", credentials.clone(), 201).await;
    let wrong = json!({"email": email, "password": canaries.keep("wrong password", WRONG)});
    ask(client, "/auth/sign-in", wrong, 401).await;
    let mut tokens = ask(client, "/auth/sign-in", credentials, 200).await;
    let mut keep = |tokens: &Value| {
        canaries.keep("access token", tokens["access_token"].as_str().unwrap());
        let refresh = tokens["refresh_token"].as_str().unwrap();
        canaries.keep("refresh token", refresh)
    };
    let refresh = json!({"refresh_token": keep(&tokens)});
    tokens = ask(client, "/auth/refresh", refresh.clone(), 200).await;
    let successor = json!({"refresh_token": keep(&tokens)});
    // Again, as if the answer had been lost; then the successor; and then it is too late.
    ask(client, "/auth/refresh", refresh.clone(), 200).await;
    tokens = ask(client, "/auth/refresh", successor, 200).await;
    keep(&tokens);
    (
        email,
        client.with_token(tokens["access_token"].as_str().unwrap()),
    )
}

/// Secrets where they do not belong, for which they are refused.
async fn misplace(canaries: &Canaries, client: &Client) {
    for (_, secret) in &canaries.0 {
        let encoded = secret.replace(' ', "%20");
        let answer = client.get(&format!("/devices?limit={encoded}")).await;
        answer.expect(401);
        let strange = json!({"email": 1, "password": secret, "name": [secret], "more": true});
        ask(client, "/auth/sign-up", strange, 422).await;
        ask(
            client,
            "/auth/refresh",
            json!({"refresh_token": format!("{secret}x")}),
            401,
        )
        .await;
        let answer = client.with_key(secret).post("/readings", &json!({})).await;
        assert!(answer.status >= 400, "{}", answer.text);
        let broken = format!(r#"{{"email": "a@example.com", "password": "{secret}"#);
        client.post_text("/auth/sign-in", &broken).await.expect(400);
    }
}

/// Provisions a device, twice with one key of idempotency, and posts with its key.
async fn device(canaries: &mut Canaries, user: &Client) {
    let once = user.with("idempotency-key", "a-device-for-canaries");
    let made = ask(&once, "/devices", json!({"name": "Cage"}), 201).await;
    let key = canaries.keep("device key", made["device_key"].as_str().unwrap());
    let again = ask(&once, "/devices", json!({"name": "Cage"}), 201).await;
    assert_eq!(again, made);
    let many = user.with("idempotency-key", "many-devices-for-canaries");
    for _ in 0..2 {
        let many = many
            .post("/devices/bulk", &json!({"devices": [{"name": "Perch"}]}))
            .await;
        let many = many.expect(200);
        canaries.keep("device key of many", many.text_at("/items/0/device_key"));
    }
    let mut device = user.clone();
    device.forget_credential();
    let device = device.with_key(&key);
    let reading = reading_at(ago(1), 1);
    device.post_text("/readings", &reading).await.expect(201);
    device.post_text("/readings", "{").await.expect(400);
}

/// Makes an API key and uses it.
async fn api_key(canaries: &mut Canaries, user: &Client, anonymous: &Client) {
    let new = json!({"name": "Nightly export", "scopes": ["devices:read", "readings:read"]});
    let made = ask(user, "/auth/api-keys", new, 201).await;
    let key = canaries.keep("API key", made["api_key"].as_str().unwrap());
    let program = anonymous.with_token(&key);
    program.get("/devices").await.expect(200);
    ask(&program, "/devices", json!({"name": "Boiler"}), 403).await;
}

#[tokio::test]
async fn no_secret_of_a_session_is_in_the_log_or_in_the_database() {
    let postbox = Postbox::start().await;
    let mut settings = postbox.settings();
    settings.push(("RUST_LOG", "trace".to_owned()));
    let app = App::start_with(&settings).await;
    let (client, sql) = (app.anonymous(), app.sql().await);
    let mut canaries = Canaries::default();
    let (email, user) = signed_in(&mut canaries, &client).await;
    device(&mut canaries, &user).await;
    api_key(&mut canaries, &user, &client).await;
    let mut kept = sql.dump().await;

    let change =
        json!({"current_password": FIRST, "new_password": canaries.keep("new password", SECOND)});
    ask(&user, "/auth/change-password", change, 204).await;
    let token = postbox.letter(&email, VERIFY, 1).await.token();
    let verify = json!({"token": canaries.keep("verification token", &token)});
    ask(&client, "/auth/verify-email", verify, 204).await;
    ask(
        &client,
        "/auth/request-password-reset",
        json!({"email": email}),
        202,
    )
    .await;
    let token = postbox.letter(&email, RESET, 1).await.token();
    let token = canaries.keep("reset token", &token);
    let reset = json!({"token": token, "new_password": canaries.keep("reset password", THIRD)});
    kept.push_str(&sql.dump().await);
    ask(&client, "/auth/reset-password", reset, 204).await;
    misplace(&canaries, &client).await;
    kept.push_str(&sql.dump().await);

    let tokens = json!({"email": email, "password": THIRD});
    let tokens = ask(&client, "/auth/sign-in", tokens, 200).await;
    let token = canaries.keep("access token", tokens["access_token"].as_str().unwrap());
    let user = client.with_token(&token);
    let body = json!({"password": THIRD}).to_string().into_bytes();
    let gone = user.ask(
        reqwest::Method::DELETE,
        "/auth/user",
        Some(("application/json", body)),
    );
    gone.await.expect(204);
    kept.push_str(&sql.dump().await);

    let logged: String = app.servers.iter().map(Server::log).collect();
    assert!(logged.contains(r#""level":"TRACE""#) && logged.contains("/auth/reset-password"));
    assert!(kept.contains("refresh_token_hash") && kept.contains("argon2id"));
    for (what, form) in canaries.forms() {
        assert!(!logged.contains(&form), "a {what} is in the log: {form}");
        assert!(!kept.contains(&form), "a {what} is in the database: {form}");
    }
}
