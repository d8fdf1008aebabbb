//! Tokens by mail: `/auth/request-password-reset`, `/auth/reset-password`, `/auth/send-verification-email` and
//! `/auth/verify-email`, with a mail server that is a process of its own.

mod email;
mod flood;
mod outage;
mod outbox;
mod reset;
mod secrets;
mod strangers;

use serde_json::{Value, json};

use crate::support::{Answer, App, Client, Postbox};

/// A password that nobody has yet.
const NEW_PASSWORD: &str = "another horse, another battery";

/// Both instances, and the mail server that they use.
async fn app_with_mail() -> (App, Postbox) {
    let postbox = Postbox::start().await;
    let app = App::start_with(&postbox.settings()).await;
    (app, postbox)
}

async fn reset(client: &Client, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "new_password": password});
    client.post("/auth/reset-password", &body).await
}

async fn verify(client: &Client, token: &str) -> Answer {
    let body = json!({"token": token});
    client.post("/auth/verify-email", &body).await
}

async fn sign_in(client: &Client, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    client.post("/auth/sign-in", &body).await
}

async fn is_verified(client: &Client) -> bool {
    let session = client.get("/auth/session").await.expect(200);
    session.body["user"]["email_verified"] == Value::Bool(true)
}
