//! A token is in its mail, and nowhere else.

use std::time::Duration;

use crate::support::{App, Postbox, RESET, Server, VERIFY, eventually, hex};

use super::{NEW_PASSWORD, app_with_mail, reset, verify};

fn logs(app: &App) -> String {
    app.servers.iter().map(Server::log).collect()
}

#[tokio::test]
async fn a_token_is_neither_in_the_database_nor_in_the_log() {
    let postbox = Postbox::start().await;
    let mut settings = postbox.settings();
    settings.push(("RUST_LOG", "trace".to_owned()));
    let app = App::start_with(&settings).await;
    let user = app.user().await;
    let sql = app.sql().await;
    let verify_token = postbox.verify_token(&user).await;

    // Looked at while it waits, too.
    let address = postbox.stop().await;
    let body = serde_json::json!({"email": user.email});
    let asked = user.post("/auth/request-password-reset", &body).await;
    asked.expect(202);
    let tried = "select count(*) from outbox_mails
                 where attempts > 0 and due_at < now() + interval '1 minute'";
    eventually("it was tried", Duration::from_secs(30), async || {
        sql.one(tried).await == "1"
    })
    .await;
    let mut kept = sql.dump().await;
    let postbox = Postbox::start_at(&address).await;
    sql.run("update outbox_mails set due_at = now() where due_at < now() + interval '1 minute'")
        .await
        .unwrap();
    let reset_token = postbox.letter(&user.email, RESET, 1).await.token();
    kept.push_str(&sql.dump().await);
    verify(&app.anonymous(), &verify_token).await.expect(204);
    reset(&app.anonymous(), &reset_token, NEW_PASSWORD)
        .await
        .expect(204);
    kept.push_str(&sql.dump().await);

    assert!(
        kept.contains("sealed_token") && kept.contains("reset_password"),
        "{kept}"
    );
    let logged = logs(&app);
    assert!(
        logged.contains("/auth/reset-password"),
        "the log is not at trace"
    );
    for secret in [verify_token.as_str(), &reset_token, NEW_PASSWORD] {
        assert!(!kept.contains(secret), "{secret} is in the database");
        assert!(!kept.contains(&hex(secret)), "{secret} is in the database");
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_mail_server_that_quotes_the_mail_is_not_quoted() {
    let postbox = Postbox::start_with(&["--refuse-mails", "554"]).await;
    let app = App::start_with(&postbox.settings()).await;
    app.user().await;
    eventually("it was refused", Duration::from_secs(30), async || {
        logs(&app).contains("a mail was not taken")
    })
    .await;
    assert!(!logs(&app).contains("rvt_"), "{}", logs(&app));
    assert!(logs(&app).contains("554"), "{}", logs(&app));
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_logged_but_that() {
    let app = App::start().await;
    let user = app.user().await;
    let body = serde_json::json!({"email": user.email});
    let asked = user.post("/auth/request-password-reset", &body).await;
    asked.expect(202);
    for server in &app.servers {
        assert!(
            server.log().contains("SMTP_URL is not set"),
            "{}",
            server.log()
        );
        assert!(!server.log().contains("rvt_"), "{}", server.log());
    }
    // It waits for an instance that has one.
    let mut settings = App::settings(&app.database);
    let postbox = Postbox::start().await;
    settings.extend(postbox.settings());
    let _server = Server::start(&settings).await;
    postbox.letter(&user.email, RESET, 1).await;
    postbox.letter(&user.email, VERIFY, 1).await;
}

#[tokio::test]
async fn a_mail_that_was_sealed_with_another_secret_is_left_to_whoever_has_it() {
    let (app, postbox) = app_with_mail().await;
    let mut settings = App::settings(&app.database);
    settings.extend(postbox.settings());
    let address = postbox.stop().await;
    let user = app.user().await;
    drop(app.servers);
    let sql = app.database.sql().await;
    sql.run("update outbox_mails set due_at = now()")
        .await
        .unwrap();
    // With a secret that opens no key a service does not start.
    sql.run("delete from signing_keys").await.unwrap();
    let postbox = Postbox::start_at(&address).await;
    settings.push((
        "AUTH_SECRET",
        "another secret, also of more than 32 bytes".to_owned(),
    ));
    let server = Server::start(&settings).await;
    eventually("it was tried", Duration::from_secs(30), async || {
        server.log().contains("another AUTH_SECRET")
    })
    .await;
    assert!(postbox.letters(&user.email, VERIFY).is_empty());
    assert_eq!(sql.one("select count(*) from outbox_mails").await, "1");
}
