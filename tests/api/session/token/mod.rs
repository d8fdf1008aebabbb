//! Access tokens, forged in every way that we know of.

mod rows;

use rows::{Row, algorithms, claims, headers, rows, signatures};

use crate::support::{Answer, App, Forgery, User, admit_forger, now};

#[tokio::test]
async fn a_token_has_the_claims_that_are_promised() {
    let app = App::start().await;
    let user = app.user().await;
    let Forgery { header, claims } = Forgery::read(&user.access_token);
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["kid"].as_str().unwrap().len(), 43);
    assert_eq!(claims["sub"], *user.id);
    let lifetime = claims["exp"].as_i64().unwrap() - now().timestamp();
    assert!((870..=900).contains(&lifetime), "{lifetime}");
}

/// Credentials that are no access token, or one of something that is gone.
async fn others(app: &App, user: &User) -> Vec<Row> {
    let device = user.device().await;
    let (left, deleted) = (app.user().await, app.user().await);
    left.on(0).post_text("/auth/sign-out", "").await.expect(204);
    let delete = format!("delete from users where id = '{}'", deleted.id);
    app.sql().await.run(&delete).await.unwrap();
    let unknown = format!("rpk_{}", "0".repeat(49));
    let token = &user.access_token;
    rows(
        "credential",
        [
            ("refresh token", user.refresh_token.clone()),
            ("device key", device.key.clone()),
            ("API key, malformed", "rpk_x".to_owned()),
            ("API key with a wrong checksum", unknown),
            ("session that was revoked", left.access_token.clone()),
            ("user who was deleted", deleted.access_token.clone()),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
            ("nonsense", "a.b.c".to_owned()),
            ("five parts", format!("{token}.a.b")),
            ("with a blank", token.replace('.', ". ")),
            ("quoted", format!("\"{token}\"")),
            ("two at once", format!("{token}, {token}")),
            ("16 KiB", "A".repeat(16 * 1024)),
            ("16 KiB more", format!("{token}{}", "A".repeat(16 * 1024))),
        ],
    )
}

/// The answer as it came, without what names the request.
fn refusal(answer: Answer) -> String {
    let answer = answer.problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    answer.text.replace(answer.header("x-request-id"), "")
}

#[tokio::test]
async fn every_forgery_gets_the_answer_of_no_token_at_all() {
    let app = App::start().await;
    let (user, other) = (app.user().await, app.user().await);
    admit_forger(&app, &user).await;
    let real = Forgery::of(&user);
    let client = app.anonymous().on(0);
    let mut table = algorithms(&real);
    table.extend(signatures(&real, &other));
    table.extend(headers(&real));
    table.extend(claims(&real, &other));
    table.extend(others(&app, &user).await);
    assert!(table.len() > 90, "{}", table.len());
    let nothing = refusal(client.get("/devices").await);
    for (name, token) in table {
        let answer = client.with_token(&token).get("/devices").await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text);
        assert_eq!(refusal(answer), nothing, "{name}");
    }
}

#[tokio::test]
async fn a_token_is_taken_from_one_header_of_the_bearer_scheme_alone() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous().on(0);
    let token = &user.access_token;
    let with = |value: &str| client.with("authorization", value);
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer    "] {
        with(&format!("{scheme}{token}"))
            .get("/devices")
            .await
            .expect(200);
    }
    with(&format!("Bearer {token}  "))
        .get("/devices")
        .await
        .expect(200);

    let nothing = refusal(client.get("/devices").await);
    for value in [
        token.clone(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("Bearer:{token}"),
        format!("Bearer,{token}"),
        format!("Bearer\t{token}"),
        format!("Bearer Bearer {token}"),
        format!("Bearer {token}é"),
        "Bearer é".to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
    ] {
        let answer = with(&value).get("/devices").await;
        assert_eq!(refusal(answer), nothing, "{value}");
    }
    let bearer = format!("Bearer {token}");
    for second in [bearer.as_str(), "Bearer x", "Basic x", ""] {
        let twice = with(&bearer).with("authorization", second);
        assert_eq!(refusal(twice.get("/devices").await), nothing, "{second}");
    }
    for name in ["cookie", "x-access-token", "proxy-authorization"] {
        let elsewhere = client.with(name, bearer.as_str());
        assert_eq!(refusal(elsewhere.get("/devices").await), nothing, "{name}");
    }
    for name in ["access_token", "token", "authorization"] {
        let answer = client.get(&format!("/devices?{name}={token}")).await;
        assert_eq!(refusal(answer), nothing, "{name}");
    }
}
