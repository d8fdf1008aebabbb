//! Which passwords may be set, and `POST /auth/change-password`.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, App, Client, PASSWORD, User, fresh_email};

const CHANGE: &str = "/auth/change-password";
const OTHER: &str = "another horse battery";

async fn sign_in(client: &Client, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    client.post("/auth/sign-in", &body).await
}

async fn change(user: &User, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    user.post(CHANGE, &body).await
}

#[tokio::test]
async fn any_characters_make_a_password_if_there_are_enough_of_them() {
    let app = App::start().await;
    let client = app.anonymous();
    for password in [
        "åäöåäöåä",
        "пароль для датчика",
        "🔥🦀🐚🪐🧵🪁🌋🫀",
        "          ",
        "no digits, no capitals",
        &"é".repeat(128),
        &"𝕬".repeat(128),
    ] {
        let email = fresh_email();
        let body = json!({"email": email, "password": password});
        client.post("/auth/sign-up", &body).await.expect(201);
        sign_in(&client, &email, password).await.expect(200);
        let cut: String = password.chars().skip(1).collect();
        let answer = sign_in(&client, &email, &cut).await;
        answer.problem(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn the_same_characters_sign_in_however_a_keyboard_writes_them() {
    let app = App::start().await;
    let client = app.anonymous();
    for (set, given) in [
        ("Zwölf Boxkämpfer", "Zwo\u{308}lf Boxka\u{308}mpfer"),
        ("Zwo\u{308}lf Boxka\u{308}mpfer", "Zwölf Boxkämpfer"),
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width"),
    ] {
        let email = fresh_email();
        let body = json!({"email": email, "password": set});
        client.post("/auth/sign-up", &body).await.expect(201);
        sign_in(&client, &email, set).await.expect(200);
        sign_in(&client, &email, given).await.expect(200);
        let answer = sign_in(&client, &email, &given.to_lowercase().replace('w', "v")).await;
        answer.problem(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn a_password_that_is_too_short_common_or_personal_is_refused() {
    let app = App::start().await;
    let user = app.user().await;
    let name = user.email.split('@').next().unwrap();
    for (password, words) in [
        ("sevenor", "8 to 128 characters"),
        // Seven characters in fourteen code points, before they are put together.
        (
            "a\u{301}e\u{301}i\u{301}o\u{301}u\u{301}y\u{301}a\u{301}",
            "8 to 128 characters",
        ),
        (&"x".repeat(129), "8 to 128 characters"),
        ("password", "attackers try first"),
        ("PassWord123", "attackers try first"),
        ("qwertyuiop", "attackers try first"),
        ("1234567890", "attackers try first"),
        (&user.email, "more than the e-mail address"),
        (&user.email.to_uppercase(), "more than the e-mail address"),
        (&format!("{name}2026"), "more than the e-mail address"),
        ("Readout2026!", "name of this service"),
    ] {
        let answer = change(&user, PASSWORD, password).await;
        let answer = answer.problem(422, "validation_failed");
        let answer = answer.blames("/new_password", "invalid_value");
        assert!(answer.text.contains(words), "{password}: {}", answer.text);
        let body = json!({"email": user.email, "password": password});
        let answer = app.anonymous().post("/auth/sign-up", &body).await;
        let answer = answer.problem(422, "validation_failed");
        let answer = answer.blames("/password", "invalid_value");
        assert!(answer.text.contains(words), "{password}: {}", answer.text);
    }
    sign_in(&app.anonymous(), &user.email, PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_change_of_password_ends_all_other_sessions() {
    let app = App::start().await;
    let user = app.user().await;
    let other = user.sign_in_with("other").await;
    let sql = app.sql().await;
    let link = format!(
        "insert into verifications (id, user_id, purpose, token_hash, expires_at)
         values (gen_random_uuid(), '{}', 'reset_password', 'hash', now() + interval '1 hour')",
        user.id
    );
    sql.run(&link).await.unwrap();
    let here = user.on(0);
    let body = json!({"current_password": PASSWORD, "new_password": OTHER});
    let answer = here.post(CHANGE, &body).await.expect(204);
    assert_eq!(answer.text, "");
    here.get("/auth/session").await.expect(200);
    let elsewhere = other.on(0).get("/auth/session").await;
    elsewhere.problem(401, "unauthenticated");
    let client = app.anonymous();
    for (token, status) in [(&user.refresh_token, 200), (&other.refresh_token, 401)] {
        let body = json!({"refresh_token": token});
        client.post("/auth/refresh", &body).await.expect(status);
    }
    sign_in(&client, &user.email, OTHER).await.expect(200);
    let old = sign_in(&client, &user.email, PASSWORD).await;
    old.problem(401, "invalid_credentials");
    // A link that was mailed before would undo it.
    let links = sql
        .one("select count(*) from verifications where used_at is null")
        .await;
    assert_eq!(links, "0");
    for server in &app.servers {
        let log = server.log();
        assert!(!log.contains(PASSWORD) && !log.contains(OTHER));
    }
}

#[tokio::test]
async fn a_wrong_current_password_is_blamed_and_changes_nothing() {
    let app = App::start().await;
    let user = app.user().await;
    let other = user.sign_in_with("other").await;
    for wrong in ["", "x", "Correct horse battery", OTHER] {
        let answer = change(&user, wrong, OTHER).await;
        let answer = answer.problem(422, "wrong_password");
        answer.blames("/current_password", "wrong_password");
    }
    other.get("/auth/session").await.expect(200);
    sign_in(&app.anonymous(), &user.email, PASSWORD)
        .await
        .expect(200);
    for (body, pointer, code) in [
        (
            json!({"new_password": OTHER}),
            "/current_password",
            "missing_field",
        ),
        (
            json!({"current_password": PASSWORD}),
            "/new_password",
            "missing_field",
        ),
        (
            json!({"current_password": PASSWORD, "new_password": 12_345_678}),
            "/new_password",
            "invalid_value",
        ),
    ] {
        let answer = user.post(CHANGE, &body).await;
        answer
            .problem(422, "validation_failed")
            .blames(pointer, code);
    }
}

#[tokio::test]
async fn of_parallel_changes_exactly_one_wins() {
    let app = App::start().await;
    let user = app.user().await;
    let new: Vec<_> = (0..6).map(|n| format!("{OTHER} {n}")).collect();
    let answers = join_all(new.iter().map(|new| change(&user, PASSWORD, new))).await;
    let won: Vec<_> = answers.iter().map(|it| it.status == 204).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{answers:?}");
    let client = app.anonymous();
    for (new, won) in new.iter().zip(won) {
        let status = if won { 200 } else { 401 };
        sign_in(&client, &user.email, new).await.expect(status);
    }
}

#[tokio::test]
async fn no_session_of_the_old_password_outlives_the_change() {
    let app = App::start().await;
    let client = app.anonymous();
    let mut late = 0;
    for _ in 0..5 {
        let user = app.user().await;
        let sign_ins = join_all((0..6).map(|_| sign_in(&client, &user.email, PASSWORD)));
        let (answers, changed) = tokio::join!(sign_ins, change(&user, PASSWORD, OTHER));
        changed.expect(204);
        for answer in answers {
            if answer.status == 200 {
                late += 1;
                let body = json!({"refresh_token": answer.text_at("/refresh_token")});
                let answer = client.post("/auth/refresh", &body).await;
                answer.problem(401, "invalid_credentials");
            } else {
                answer.problem(401, "invalid_credentials");
            }
        }
        let sessions = user.get("/auth/sessions").await.expect(200);
        assert_eq!(sessions.data().len(), 1, "{}", sessions.text);
    }
    assert!(late > 0, "no sign-in ever came first");
}
