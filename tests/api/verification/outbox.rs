//! Who sends a mail, how often, and what the mail server may say to it.

use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{App, Postbox, RESET, Server, User, VERIFY, eventually, nothing_waits};

use super::{NEW_PASSWORD, app_with_mail, is_verified, reset, verify};

const WITHIN: Duration = Duration::from_secs(30);

async fn ask(user: &User) {
    let body = json!({"email": user.email});
    let asked = user.post("/auth/request-password-reset", &body).await;
    asked.expect(202);
}

#[tokio::test]
async fn two_instances_send_each_mail_once() {
    let (app, postbox) = app_with_mail().await;
    let users = join_all((0..15).map(|_| app.user())).await;
    join_all(users.iter().map(ask)).await;
    for user in &users {
        postbox.letter(&user.email, VERIFY, 1).await;
        postbox.letter(&user.email, RESET, 1).await;
    }
    nothing_waits(&app).await;
    for user in &users {
        assert_eq!(postbox.letters(&user.email, VERIFY).len(), 1);
        assert_eq!(postbox.letters(&user.email, RESET).len(), 1);
    }
    let at_root = app.anonymous().at_root();
    let mut sent = 0;
    for instance in [0, 1] {
        let figures = at_root.on(instance).get("/metrics").await.expect(200).text;
        let mut lines = figures
            .lines()
            .filter(|line| line.starts_with("readout_mails_total") && line.contains("\"sent\""));
        let counts = lines.by_ref().map(|line| line.rsplit(' ').next().unwrap());
        sent += counts
            .map(|count| count.parse::<u32>().unwrap())
            .sum::<u32>();
    }
    assert_eq!(sent, 30);
}

/// Between the server's answer and the end of the mail here lies a moment in which either may be lost.
#[tokio::test]
async fn a_mail_whose_answer_was_lost_comes_again_and_is_the_same() {
    let postbox = Postbox::start_with(&["--lose-answers", "1"]).await;
    let app = App::start_with(&postbox.settings()).await;
    let user = app.user().await;
    let first = postbox.letter(&user.email, VERIFY, 1).await;
    let sql = app.sql().await;
    let left = "select count(*) from outbox_mails where due_at < now() + interval '1 minute'";
    eventually("it is left until later", WITHIN, async || {
        sql.one(left).await == "1"
    })
    .await;
    sql.run("update outbox_mails set due_at = now()")
        .await
        .unwrap();
    let second = postbox.letter(&user.email, VERIFY, 2).await;
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert!(first.header("Message-ID").ends_with("@example.org>"));
    assert_eq!(first.token(), second.token());
    verify(&app.anonymous(), &first.token()).await.expect(204);
    assert!(is_verified(&user).await);
}

#[tokio::test]
async fn a_mail_that_is_asked_for_while_it_is_sent_comes_again() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    postbox.signal(Signal::SIGSTOP);
    ask(&user).await;
    let sql = app.sql().await;
    let sending = "select count(*) from outbox_mails where attempts = 1";
    eventually("it is being sent", WITHIN, async || {
        sql.one(sending).await == "1"
    })
    .await;
    ask(&user).await;
    postbox.signal(Signal::SIGCONT);
    let first = postbox.letter(&user.email, RESET, 1).await;
    let second = postbox.letter(&user.email, RESET, 2).await;
    assert_eq!(first.token(), second.token());
    assert_ne!(first.header("Message-ID"), second.header("Message-ID"));
    nothing_waits(&app).await;
    assert_eq!(postbox.letters(&user.email, RESET).len(), 2);
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_not_tried_again() {
    let postbox = Postbox::start_with(&["--refuse-recipients", "550"]).await;
    let app = App::start_with(&postbox.settings()).await;
    app.user().await;
    nothing_waits(&app).await;
}

#[tokio::test]
async fn a_server_that_is_busy_or_does_not_know_us_is_tried_again() {
    let busy = Postbox::start_with(&["--refuse-recipients", "451"]).await;
    let strict = Postbox::start_with(&["--login", "readout:secret word"]).await;
    let wrong = strict.settings_as("readout:hunter2@");
    for settings in [busy.settings(), wrong, strict.settings()] {
        let app = App::start_with(&settings).await;
        app.user().await;
        let sql = app.sql().await;
        let left = "select count(*) from outbox_mails
                    where attempts > 0 and due_at < now() + interval '1 minute'";
        eventually("it is left until later", WITHIN, async || {
            sql.one(left).await == "1"
        })
        .await;
        for server in &app.servers {
            assert!(!server.log().contains("hunter2"), "{}", server.log());
        }
    }
    let app = App::start_with(&strict.settings_as("readout:secret%20word@")).await;
    let user = app.user().await;
    strict.letter(&user.email, VERIFY, 1).await;
}

#[tokio::test]
async fn nothing_is_sent_in_clear_where_tls_is_required() {
    let postbox = Postbox::start().await;
    let mut settings = postbox.settings_as("readout:hunter2@");
    settings[0].1.push_str("?tls=required");
    let app = App::start_with(&settings).await;
    let user = app.user().await;
    let sql = app.sql().await;
    eventually("it was tried in vain", WITHIN, async || {
        let left = "select count(*) from outbox_mails where attempts > 0";
        sql.one(left).await == "1"
    })
    .await;
    assert!(postbox.letters(&user.email, VERIFY).is_empty());
}

#[tokio::test]
async fn a_reset_takes_back_what_is_not_yet_mailed() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let token = postbox.reset_token(&app, &user, 1).await;
    let address = postbox.stop().await;
    ask(&user).await;
    reset(&app.anonymous(), &token, NEW_PASSWORD)
        .await
        .expect(204);
    let waiting = app
        .sql()
        .await
        .column("select kind from outbox_mails")
        .await;
    assert_eq!(waiting, ["password_changed"]);
    let complaints: Vec<_> = app.servers.iter().flat_map(Server::complaints).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    drop(address);
}
