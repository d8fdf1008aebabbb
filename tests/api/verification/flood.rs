//! Many requests come to few mails.

use serde_json::json;

use crate::support::{App, CHANGED, Postbox, RESET, Sql, VERIFY, fresh_email, nothing_waits};

use super::{NEW_PASSWORD, reset};

/// Where as many can be asked for as one likes.
async fn app_with_mail() -> (App, Postbox) {
    let postbox = Postbox::start().await;
    let mut settings = postbox.settings();
    settings.push(("RATE_LIMITS", "off".to_owned()));
    (App::start_with(&settings).await, postbox)
}

/// So many mails of a kind that wait until tomorrow, each for a user of its own.
async fn flood(sql: &Sql, count: u32, kind: &str) {
    let flood = format!(
        "insert into users (id, email, created_at, updated_at)
             select gen_random_uuid(), n || '@flood.example', now(), now() from generate_series(1, {count}) as n;
         insert into outbox_mails (id, kind, email, sealed_token, asked_at, expires_at, due_at)
             select gen_random_uuid(), {kind}, n || '@flood.example', 'x', now(),
                 now() + interval '1 day', now() + interval '1 day' from generate_series(1, {count}) as n"
    );
    sql.run(&flood).await.unwrap();
}

#[tokio::test]
async fn a_user_is_mailed_at_most_five_tokens_of_a_kind_in_an_hour() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let other = app.user().await;
    let mut last = String::new();
    for n in 1..=5 {
        last = postbox.reset_token(&app, &user, n).await;
    }
    for _ in 0..3 {
        let body = json!({"email": user.email});
        let more = user.post("/auth/request-password-reset", &body).await;
        more.expect(202);
        nothing_waits(&app).await;
    }
    assert_eq!(postbox.letters(&user.email, RESET).len(), 5);
    // Others, and mails of another kind, are not touched by it.
    postbox.reset_token(&app, &other, 1).await;
    let verify = user.post_text("/auth/send-verification-email", "").await;
    verify.expect(202);
    postbox.letter(&user.email, VERIFY, 2).await;
    // A used token counts all the same.
    reset(&app.anonymous(), &last, NEW_PASSWORD)
        .await
        .expect(204);
    let body = json!({"email": user.email});
    let more = app
        .anonymous()
        .post("/auth/request-password-reset", &body)
        .await;
    more.expect(202);
    nothing_waits(&app).await;
    assert_eq!(postbox.letters(&user.email, RESET).len(), 5);

    let sql = app.sql().await;
    let an_hour = "update verifications set expires_at = expires_at - interval '1 hour'";
    sql.run(an_hour).await.unwrap();
    postbox.reset_token(&app, &user, 6).await;
}

#[tokio::test]
async fn of_many_requests_for_one_address_one_waits() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.stop().await;
    let body = json!({"email": user.email});
    let requests = (0..20).map(|_| user.post("/auth/request-password-reset", &body));
    for answer in futures_util::future::join_all(requests).await {
        answer.expect(202);
    }
    let sql = app.sql().await;
    let waiting = "select count(*) from outbox_mails where kind = 'reset_password'";
    assert_eq!(sql.one(waiting).await, "1");
}

#[tokio::test]
async fn a_full_outbox_refuses_mail_and_nothing_else() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    nothing_waits(&app).await;
    let sql = app.sql().await;
    flood(
        &sql,
        10_000,
        "case when n % 2 = 0 then 'verify_email' else 'reset_password' end",
    )
    .await;
    for email in [&user.email, &fresh_email()] {
        let body = json!({"email": email});
        let full = app
            .anonymous()
            .post("/auth/request-password-reset", &body)
            .await;
        let full = full.problem(503, "overloaded");
        assert_eq!(full.header("retry-after"), "1");
    }
    let late = app.user().await;
    let metrics = app
        .anonymous()
        .at_root()
        .on(0)
        .get("/metrics")
        .await
        .expect(200);
    assert!(
        metrics.text.contains("readout_mails_waiting"),
        "{}",
        metrics.text
    );
    sql.run("delete from users where email like '%@flood.example'")
        .await
        .unwrap();
    // Mail for those who are gone is removed, and then there is room again.
    nothing_waits(&app).await;
    assert!(postbox.letters(&late.email, VERIFY).is_empty());
    let again = late.post_text("/auth/send-verification-email", "").await;
    again.expect(202);
    postbox.letter(&late.email, VERIFY, 1).await;
}

#[tokio::test]
async fn a_flood_of_sign_ups_leaves_room_for_those_who_forgot_their_password() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    postbox.verify_token(&user).await;
    nothing_waits(&app).await;
    let sql = app.sql().await;
    flood(&sql, 8_000, "'verify_email'").await;
    let body = json!({"email": user.email});
    user.post("/auth/request-password-reset", &body)
        .await
        .expect(202);
    let token = postbox.letter(&user.email, RESET, 1).await.token();
    reset(&app.anonymous(), &token, NEW_PASSWORD)
        .await
        .expect(204);
    postbox.letter(&user.email, CHANGED, 1).await;
    let late = app.user().await;
    let waiting = "select count(*) from outbox_mails where kind = 'verify_email' and email = '";
    assert_eq!(sql.one(&format!("{waiting}{}'", late.email)).await, "0");
}
