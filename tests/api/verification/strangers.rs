//! Nobody learns from these operations who has an account.

use serde_json::json;

use crate::support::{RESET, fresh_email, nothing_waits};

use super::app_with_mail;

#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_no_mail() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let nobody = fresh_email();
    let mut answers = Vec::new();
    for email in [&user.email, &nobody, &user.email.to_uppercase(), &nobody] {
        let body = json!({"email": email});
        let answer = app
            .anonymous()
            .post("/auth/request-password-reset", &body)
            .await;
        let answer = answer.expect(202);
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        answers.push((answer.text, names));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");

    postbox.letter(&user.email, RESET, 1).await;
    nothing_waits(&app).await;
    assert!(postbox.letters(&nobody, RESET).is_empty());
    let tokens = app
        .sql()
        .await
        .one("select count(distinct user_id) from verifications")
        .await;
    assert_eq!(tokens, "1");
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let (app, _postbox) = app_with_mail().await;
    for email in ["", "ada", "a b@example.com", "a@b\r\nBcc: c@example.com"] {
        let body = json!({"email": email});
        let answer = app
            .anonymous()
            .post("/auth/request-password-reset", &body)
            .await;
        let answer = answer.problem(422, "validation_failed");
        answer.blames("/email", "invalid_value");
    }
}
