//! Problems of accounts, of keys, and of what is done once.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, App, User, eventually, fresh_email};

/// Each of them, once.
pub(super) async fn refusals(app: &App, user: &User) -> Vec<Answer> {
    let key = json!({"name": "Export", "scopes": ["devices:read"]});
    let key = user.post("/auth/api-keys", &key).await.expect(201);
    let program = app.anonymous().with_token(key.text_at("/api_key"));
    let named = json!({"name": "x"});
    let once = user.with("idempotency-key", "a");
    once.post("/devices", &named).await.expect(201);
    vec![
        program.get("/auth/session").await,
        program.post("/devices", &named).await,
        once.post("/devices", &json!({"name": "y"})).await,
        in_flight(app, user).await,
        wrong_password(user).await,
        invalid_token(app).await,
        verified(app, user).await,
        too_many_attempts(app).await,
    ]
}

/// The same request twice at once, of which the first one waits.
async fn in_flight(app: &App, user: &User) -> Answer {
    let (holder, looker) = (app.sql().await, app.sql().await);
    let hold = format!(
        "begin; select from users where id = '{}' for update",
        user.id
    );
    holder.run(&hold).await.unwrap();
    let client = user.on(0).with("idempotency-key", "b");
    let named = json!({"name": "x"});
    let second = async {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        let patience = std::time::Duration::from_secs(10);
        eventually("the first one waits", patience, async || {
            looker.one(waiting).await == "1"
        })
        .await;
        let second = client.post("/devices", &named).await;
        holder.run("rollback").await.unwrap();
        second
    };
    let (first, second) = tokio::join!(client.post("/devices", &named), second);
    first.expect(201);
    second
}

pub(super) async fn wrong_password(user: &User) -> Answer {
    let change =
        json!({"current_password": "not the password", "new_password": "another good one"});
    user.post("/auth/change-password", &change).await
}

pub(super) async fn invalid_token(app: &App) -> Answer {
    let token = format!("rvt_{}", "a".repeat(60));
    app.anonymous()
        .post("/auth/verify-email", &json!({"token": token}))
        .await
}

/// The eleventh wrong password.
async fn too_many_attempts(app: &App) -> Answer {
    let client = app.anonymous();
    let credentials = json!({"email": fresh_email(), "password": "not the password"});
    for _ in 0..10 {
        client.post("/auth/sign-in", &credentials).await.expect(401);
    }
    client.post("/auth/sign-in", &credentials).await
}

async fn verified(app: &App, user: &User) -> Answer {
    let verify = format!(
        "update users set email_verified_at = now() where id = '{}'",
        user.id
    );
    app.sql().await.run(&verify).await.unwrap();
    user.ask(Method::POST, "/auth/send-verification-email", None)
        .await
}
