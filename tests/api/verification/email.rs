//! Verifying an address.

use crate::support::{App, Postbox, RESET, VERIFY, nothing_waits};

use super::{app_with_mail, is_verified, verify};

#[tokio::test]
async fn a_sign_up_is_mailed_a_token_that_verifies_the_address() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    assert!(!is_verified(&user).await);

    let letter = postbox.letter(&user.email, VERIFY, 1).await;
    assert_eq!(letter.from, "readout@example.org");
    assert_eq!(letter.header("From"), "Readout <readout@example.org>");
    assert_eq!(letter.header("To"), user.email);
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    let token = letter.token();
    verify(&app.anonymous(), &token).await.expect(204);
    assert!(is_verified(&user).await);
    let at = "select email_verified_at::text from users";
    let verified_at = app.sql().await.one(at).await;

    // Whoever looked at the link first has done no harm, and nothing changes any more.
    verify(&app.anonymous(), &token).await.expect(204);
    assert_eq!(app.sql().await.one(at).await, verified_at);
    let again = user.post_text("/auth/send-verification-email", "").await;
    again.problem(409, "email_already_verified");
    assert_eq!(postbox.letters(&user.email, VERIFY).len(), 1);
}

#[tokio::test]
async fn links_lead_to_where_the_settings_say_and_never_to_where_a_client_says() {
    let postbox = Postbox::start().await;
    let mut settings = postbox.settings();
    let app = App::start_with(&settings).await;
    let user = app.user().await;
    let spoofed = user
        .with("host", "evil.example")
        .with("x-forwarded-host", "evil.example");
    let body = serde_json::json!({"email": user.email});
    let asked = spoofed.post("/auth/request-password-reset", &body).await;
    asked.expect(202);
    let letter = postbox.letter(&user.email, RESET, 1).await;
    let page = "https://readout.example/docs/#/auth/verification_reset_password";
    assert_eq!(letter.link(), page);
    assert!(!letter.text.contains("evil"), "{}", letter.text);
    let docs = app.anonymous().at_root();
    docs.get("/docs/").await.expect(200);

    settings.push(("APP_URL", "https://app.example/ui/".to_owned()));
    let app = App::start_with(&settings).await;
    let user = app.user().await;
    let letter = postbox.letter(&user.email, VERIFY, 1).await;
    let page = format!(
        "https://app.example/ui/verify-email#token={}",
        letter.token()
    );
    assert_eq!(letter.link(), page);
    let api = "POST https://readout.example/api/v1/auth/verify-email";
    assert!(letter.text.contains(api), "{}", letter.text);
}

#[tokio::test]
async fn a_mail_can_be_asked_for_again_and_each_token_is_good() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let first = postbox.verify_token(&user).await;
    nothing_waits(&app).await;
    let again = user.post_text("/auth/send-verification-email", "").await;
    assert_eq!(again.expect(202).text, "");
    let second = postbox.letter(&user.email, VERIFY, 2).await.token();
    assert_ne!(first, second);
    verify(&app.anonymous(), &first).await.expect(204);
    verify(&app.anonymous(), &second).await.expect(204);
}

#[tokio::test]
async fn a_token_that_has_expired_or_is_for_something_else_or_none_verifies_nothing() {
    let (app, postbox) = app_with_mail().await;
    let user = app.user().await;
    let token = postbox.verify_token(&user).await;
    let reset = postbox.reset_token(&app, &user, 1).await;
    let sql = app.sql().await;
    let lifetime = "select round(extract(epoch from expires_at - now()) / 3600)
                    from verifications where purpose = 'verify_email'";
    assert_eq!(sql.one(lifetime).await, "24");
    let expire = "update verifications set expires_at = now() where purpose = 'verify_email'";
    sql.run(expire).await.unwrap();

    let mut bodies = Vec::new();
    for token in [
        &token,
        &reset,
        &user.refresh_token,
        "rvt_",
        "",
        &"x".repeat(10_000),
    ] {
        let answer = verify(&app.anonymous(), token).await;
        let answer = answer.problem(422, "invalid_token");
        bodies.push(answer.blames("/token", "invalid_token").essence());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(!is_verified(&user).await);
}
