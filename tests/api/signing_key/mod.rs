//! The keys that sign access tokens: `/.well-known/jwks.json`, `readout keys`, and changes of `AUTH_SECRET`.

mod secret;

use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use crate::support::{
    App, Client, Database, Forgery, PASSWORD, Server, Sql, User, eventually, program,
};

/// Longer than an instance goes without reading keys again.
const HEARD_WITHIN: Duration = Duration::from_secs(20);

/// The names of the keys that an instance publishes.
async fn published(client: &Client) -> Vec<String> {
    let set = client.at_root().get("/.well-known/jwks.json").await;
    let set = set.expect(200);
    let keys = set.body["keys"].as_array().unwrap();
    let ids = keys
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned());
    ids.collect()
}

/// The name of the key that a new token is signed with.
async fn signing(client: &Client, user: &User) -> String {
    let body = json!({"email": user.email, "password": PASSWORD});
    let answer = client.post("/auth/sign-in", &body).await.expect(200);
    let header = Forgery::read(answer.text_at("/access_token")).header;
    header["kid"].as_str().unwrap().to_owned()
}

/// What a command printed.
async fn run(arguments: &[&str], settings: &[(&'static str, String)]) -> (bool, String) {
    let output = program(arguments, settings).await;
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

async fn count(sql: &Sql) -> String {
    sql.one("select count(*) from signing_keys").await
}

#[tokio::test]
async fn the_published_key_verifies_a_token_with_a_library_of_others() {
    let app = App::start().await;
    let user = app.user().await;
    let set = app
        .anonymous()
        .at_root()
        .get("/.well-known/jwks.json")
        .await;
    let set = set.expect(200);
    assert_eq!(set.header("cache-control"), "public, max-age=300");
    assert_eq!(set.header("content-type"), "application/jwk-set+json");
    let [key] = &set.body["keys"].as_array().unwrap()[..] else {
        panic!("{}", set.text)
    };
    let members: Vec<_> = key.as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    for (member, value) in [
        ("kty", "OKP"),
        ("crv", "Ed25519"),
        ("use", "sig"),
        ("alg", "EdDSA"),
    ] {
        assert_eq!(key[member], value);
    }
    assert_eq!(key["kid"], Forgery::read(&user.access_token).header["kid"]);
    let public = DecodingKey::from_ed_components(key["x"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["readout-api"]);
    let claims = decode::<Value>(&user.access_token, &public, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["sub"], *user.id);
}

#[tokio::test]
async fn instances_that_start_at_once_make_one_key() {
    let database = Database::migrated().await;
    let settings = App::settings(&database);
    let servers = join_all((0..4).map(|_| Server::start(&settings))).await;
    let urls: Vec<_> = servers.iter().map(|it| it.url().to_owned()).collect();
    let client = Client::anonymous(urls.into());
    assert_eq!(count(&database.sql().await).await, "1");
    let user = User::sign_up(&client).await;
    for instance in 0..4 {
        user.on(instance).get("/devices").await.expect(200);
    }
}

#[tokio::test]
async fn a_rotation_disturbs_nobody() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous();
    let old = published(&client).await.remove(0);
    let settings = App::settings(&app.database);
    let (done, printed) = run(&["keys", "rotate"], &settings).await;
    assert!(done, "{printed}");
    // Published everywhere, and not used yet.
    for instance in [0, 1] {
        eventually("the new key", HEARD_WITHIN, async || {
            published(&client.on(instance)).await.len() == 2
        })
        .await;
        assert_eq!(signing(&client.on(instance), &user).await, old);
    }
    let new = published(&client).await.remove(1);
    let (_, listed) = run(&["keys", "list"], &settings).await;
    assert!(listed.contains(&format!("signing    {old}")), "{listed}");
    assert!(listed.contains(&format!("published  {new}")), "{listed}");

    // Ten minutes later.
    let sql = app.sql().await;
    sql.run(
        "update signing_keys set signs_from = signs_from - interval '10 min',
         signs_until = signs_until - interval '10 min', verifies_until = verifies_until - interval '10 min'",
    )
    .await
    .unwrap();
    for instance in [0, 1] {
        eventually("the turn of the new key", HEARD_WITHIN, async || {
            signing(&client.on(instance), &user).await == new
        })
        .await;
        user.on(instance).get("/devices").await.expect(200);
    }
    let (_, listed) = run(&["keys", "list"], &settings).await;
    assert!(listed.contains(&format!("verifying  {old}")), "{listed}");

    // Twenty minutes later: no token of the old key can be good any more.
    sql.run("update signing_keys set verifies_until = signs_until where signs_until is not null")
        .await
        .unwrap();
    for instance in [0, 1] {
        eventually("the end of the old key", HEARD_WITHIN, async || {
            published(&client.on(instance)).await == [new.clone()]
        })
        .await;
        let refused = user.on(instance).get("/devices").await;
        refused.problem(401, "unauthenticated");
    }
    assert_eq!(count(&sql).await, "1");
}

#[tokio::test]
async fn the_private_part_of_a_key_goes_when_it_signs_no_more() {
    let app = App::start().await;
    let (done, printed) = run(&["keys", "rotate"], &App::settings(&app.database)).await;
    assert!(done, "{printed}");
    let sql = app.sql().await;
    sql.run(
        "update signing_keys set signs_from = signs_from - interval '16 min',
         signs_until = signs_until - interval '16 min'",
    )
    .await
    .unwrap();
    let left = "select count(*) from signing_keys where sealed_private_key is not null";
    eventually("the removal", HEARD_WITHIN, async || {
        sql.one(left).await == "1"
    })
    .await;
    assert_eq!(count(&sql).await, "2");
    let user = app.user().await;
    for instance in [0, 1] {
        eventually("the new key", HEARD_WITHIN, async || {
            user.on(instance).get("/devices").await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn a_rotation_at_once_refuses_every_token_and_no_refresh() {
    let app = App::start().await;
    let user = app.user().await;
    user.on(1).get("/devices").await.expect(200);
    let (done, printed) = run(
        &["keys", "rotate", "--at-once"],
        &App::settings(&app.database),
    )
    .await;
    assert!(done, "{printed}");
    assert_eq!(count(&app.sql().await).await, "1");
    for instance in [0, 1] {
        eventually("the end of the token", HEARD_WITHIN, async || {
            user.on(instance).get("/devices").await.status == 401
        })
        .await;
    }
    let body = json!({"refresh_token": user.refresh_token});
    let answer = app.anonymous().on(0).post("/auth/refresh", &body).await;
    let answer = answer.expect(200);
    let again = app.anonymous().with_token(answer.text_at("/access_token"));
    for instance in [0, 1] {
        again.on(instance).get("/devices").await.expect(200);
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_yet_is_looked_for_but_not_again_and_again() {
    let app = App::start().await;
    let user = app.user().await;
    let client = app.anonymous().on(0);
    let questions = async || {
        let figures = client.at_root().get("/metrics").await.expect(200);
        let name = r#"transaction="signing_key.list""#;
        let mut lines = figures.text.lines();
        let line = lines.find(|it| it.contains("_count{") && it.contains(name));
        let figure = line.and_then(|it| it.rsplit_once(' ')).unwrap().1;
        figure.parse::<u32>().unwrap()
    };
    let (before, begun) = (questions().await, std::time::Instant::now());
    // Longer than the pause between two questions.
    let mut tokens = 0..;
    while begun.elapsed() < Duration::from_millis(2_500) {
        let n = tokens.next().unwrap_or(0);
        let kid = json!(format!("{n:0>43}"));
        let token = Forgery::of(&user).header("kid", kid).signed();
        let answer = client.with_token(&token).get("/devices").await;
        answer.problem(401, "unauthenticated");
    }
    let asked = questions().await - before;
    assert!(
        (1..60).contains(&asked),
        "{asked} questions for {tokens:?} tokens"
    );
}
