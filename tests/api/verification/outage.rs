//! Mail while the mail server, or the service, is away.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{App, Postbox, RESET, Server, Sql, User, VERIFY, eventually};

use super::{NEW_PASSWORD, app_with_mail, reset};

const WITHIN: Duration = Duration::from_secs(40);

async fn ask(user: &User) {
    let body = json!({"email": user.email});
    let asked = user.post("/auth/request-password-reset", &body).await;
    asked.expect(202);
}

/// Waits until the mail was tried in vain and is left until later, and has it tried again at once.
async fn tried_and_due(sql: &Sql) {
    let left = "select count(*) from outbox_mails
                where kind = 'reset_password' and attempts > 0 and due_at < now() + interval '1 minute'";
    eventually("the mail was tried in vain", WITHIN, async || {
        sql.one(left).await == "1"
    })
    .await;
}

async fn hurry(sql: &Sql) {
    // Not one that is being sent: its lease is two minutes.
    let due = "update outbox_mails set due_at = now() where due_at < now() + interval '1 minute'";
    sql.run(due).await.unwrap();
}

#[tokio::test]
async fn a_mail_arrives_once_when_the_mail_server_is_back() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    let address = postbox.stop().await;
    ask(&user).await;
    let sql = app.sql().await;
    tried_and_due(&sql).await;
    // Everything else goes on.
    user.get("/auth/session").await.expect(200);

    let postbox = Postbox::start_at(&address).await;
    hurry(&sql).await;
    let token = postbox.letter(&user.email, RESET, 1).await.token();
    eventually("it is erased", WITHIN, async || {
        sql.one("select count(*) from outbox_mails").await == "0"
    })
    .await;
    assert_eq!(postbox.letters(&user.email, RESET).len(), 1);
    reset(&app.anonymous(), &token, NEW_PASSWORD)
        .await
        .expect(204);
}

#[tokio::test]
async fn a_mail_outlives_the_service() {
    let (mut app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    let mut settings = App::settings(&app.database);
    settings.extend(postbox.settings());
    let address = postbox.stop().await;
    ask(&user).await;
    for server in &mut app.servers {
        server.signal(Signal::SIGKILL);
        server.ended().await;
    }
    let sql = app.sql().await;
    assert_eq!(sql.one("select count(*) from outbox_mails").await, "1");
    // As if so long had passed that whoever was at it when it was killed has no claim any more.
    sql.run("update outbox_mails set due_at = now()")
        .await
        .unwrap();
    let postbox = Postbox::start_at(&address).await;
    let server = Server::start(&settings).await;
    let token = postbox.letter(&user.email, RESET, 1).await.token();
    let client = crate::support::Client::anonymous([server.url().to_owned()].into());
    reset(&client, &token, NEW_PASSWORD).await.expect(204);
    assert_eq!(postbox.letters(&user.email, RESET).len(), 1);
}

#[tokio::test]
async fn a_mail_that_could_not_be_sent_in_time_is_given_up() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    let address = postbox.stop().await;
    ask(&user).await;
    let sql = app.sql().await;
    tried_and_due(&sql).await;
    sql.run("update outbox_mails set expires_at = now()")
        .await
        .unwrap();
    eventually("it is given up", WITHIN, async || {
        sql.one("select count(*) from outbox_mails").await == "0"
    })
    .await;
    let logs = || app.servers.iter().map(Server::log).collect::<String>();
    eventually("and that is told", WITHIN, async || {
        logs().contains("is given up")
    })
    .await;
    let postbox = Postbox::start_at(&address).await;
    // A later one is another one.
    ask(&user).await;
    postbox.letter(&user.email, RESET, 1).await;
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_holds_up_neither_requests_nor_connections() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    postbox.signal(Signal::SIGSTOP);
    for _ in 0..20 {
        app.user().await;
    }
    ask(&user).await;
    // Each instance is at its few, and the others wait in the database.
    let sql = app.sql().await;
    let tried = "select count(*) >= 5 from outbox_mails where attempts > 0";
    eventually("both instances try", WITHIN, async || {
        sql.one(tried).await == "t"
    })
    .await;
    let in_transaction = "select count(*) from pg_stat_activity
                          where datname = current_database() and state like 'idle in transaction%'";
    eventually("nobody holds a transaction", WITHIN, async || {
        sql.one(in_transaction).await == "0"
    })
    .await;
    user.get("/devices").await.expect(200);
    postbox.signal(Signal::SIGCONT);
    postbox.letter(&user.email, RESET, 1).await;
    eventually("no connection is left", WITHIN, async || {
        postbox.connections().0 == 0
    })
    .await;
    let (_, most) = postbox.connections();
    assert!(most <= 8, "{most}");
    assert_eq!(postbox.letters(&user.email, RESET).len(), 1);
    assert_eq!(postbox.letters(&user.email, VERIFY).len(), 1);
}
