//! Every code that the document lists is met by someone, and nothing else is.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, App, Device, JSON, PASSWORD, Proxy, Raw, User, ago, batch, documented, reading_at,
};

/// An owner and a device of one application.
struct World {
    app: App,
    user: User,
    device: Device,
}

impl World {
    async fn on(app: App) -> Self {
        let user = app.user().await;
        let device = user.device().await;
        Self { app, user, device }
    }
}

/// Problems of those who ask for what cannot be.
async fn refusals(World { app, user, device }: &World) -> Vec<Answer> {
    let anonymous = app.anonymous();
    let rule = user.rule(device, "gt", 100).await;
    let named = json!({"name": "x"});
    let credentials = json!({"email": user.email, "password": "not the password"});
    let again = json!({"email": user.email, "password": PASSWORD});
    let gzip = device.with("content-encoding", "gzip");
    let old = user.with("if-match", "\"7\"");
    let unreadable = user.with("if-match", "7");
    let reading = |value| reading_at(ago(9), value);
    device.ingest_text(&reading(1)).await.expect(201);
    let wrong = r#"{"metric": "t", "value": "wet"}"#.to_owned();
    let some = batch([reading(1), wrong.clone()]);
    vec![
        user.post_text("/devices", "{").await,
        unreadable.patch(&device.path(""), &named).await,
        gzip.post_text("/readings", "[]").await,
        anonymous.get("/devices").await,
        anonymous.post("/auth/sign-in", &credentials).await,
        anonymous.post_text("/readings", "[]").await,
        user.get("/nothing").await,
        user.ask(Method::PUT, "/devices", None).await,
        user.with("accept", "text/html")
            .get(&device.path("/readings"))
            .await,
        anonymous.post("/auth/sign-up", &again).await,
        old.patch(&format!("/alert-rules/{rule}"), &named).await,
        user.patch(&device.path(""), &json!({"tags": null})).await,
        device.ingest_text(&reading(2)).await,
        user.post_text("/devices", &" ".repeat(64 * 1024 + 1)).await,
        user.ask(
            Method::POST,
            "/devices",
            Some(("text/plain", b"x".to_vec())),
        )
        .await,
        user.post("/devices", &json!({})).await,
        device.ingest_text(&format!("[{wrong}]")).await,
        device.post_text("/readings?atomic=true", &some).await,
        over(user, device).await,
        disabled(user).await,
    ]
}

/// An alert that is over is ended by hand.
async fn over(user: &User, device: &Device) -> Answer {
    device
        .ingest_text(&reading_at(ago(8), 101))
        .await
        .expect(201);
    device.ingest_text(&reading_at(ago(7), 1)).await.expect(201);
    let alerts = user.get("/alerts?status=resolved").await.expect(200);
    let path = format!("/alerts/{}/resolve", alerts.text_at("/data/0/id"));
    user.ask(Method::POST, &path, None).await
}

async fn disabled(user: &User) -> Answer {
    let device = user.device().await;
    let change = json!({"enabled": false});
    user.patch(&device.path(""), &change).await.expect(200);
    device.ingest_text("[]").await
}

/// More readings than a quota allows.
async fn hurry() -> Answer {
    let slow = ("RATE_LIMIT_DEVICE", "1".to_owned());
    let World { device, .. } = &World::on(App::start_with(&[slow]).await).await;
    let device = device.on_one(0);
    let whole = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    device.ingest_text(&whole).await.expect(200);
    device.ingest_text(&whole).await
}

/// Problems of a database that is away, that does not answer, and that has others to do.
async fn outages() -> Vec<Answer> {
    let proxy = Proxy::start().await;
    let few = ("INGEST_QUEUE_READINGS", "10000".to_owned());
    let limit = ("DATABASE_STATEMENT_TIMEOUT", "1s".to_owned());
    let world = World::on(App::start_with_behind(&proxy, &[few, limit]).await).await;
    let (user, device) = (world.user.on(0), world.device.on_one(0));
    device
        .ingest_text(&reading_at(ago(20_000), 0))
        .await
        .expect(201);

    let sql = world.app.sql().await;
    let lock = "begin; lock table samples in access exclusive mode";
    sql.run(lock).await.unwrap();
    let timeout = user.get(&device.path("/readings")).await;
    sql.run("rollback").await.unwrap();

    proxy.stall();
    let whole = batch((0..10_000).map(|n| reading_at(ago(n), n)));
    let refused = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        let refused = device.ingest_text(&reading_at(ago(30_000), 1)).await;
        proxy.open();
        refused
    };
    let (_, overloaded) = tokio::join!(device.ingest_text(&whole), refused);

    proxy.cut();
    let away = user.get("/devices").await;
    vec![timeout, overloaded, away]
}

/// A defect: a table is not what the program takes it for.
async fn defect() -> Answer {
    let World { app, user, .. } = &World::on(App::start().await).await;
    let sql = app.sql().await;
    sql.run("alter table devices rename to devices_hidden")
        .await
        .unwrap();
    user.get("/devices").await
}

/// A body that does not come; as the answer was written, since it is asked for byte by byte.
async fn patience() -> String {
    let World { app, device, .. } = &World::on(App::start().await).await;
    let mut raw = Raw::begin(&app.servers[0], &device.key, JSON, 100).await;
    raw.answer(Duration::from_secs(35)).await
}

#[tokio::test]
async fn every_code_of_the_document_is_met() {
    let world = World::on(App::start().await).await;
    let (mut answers, hurry, outages, defect, patience) =
        tokio::join!(refusals(&world), hurry(), outages(), defect(), patience());
    answers.extend(outages);
    answers.extend(super::accounts::refusals(&world.app, &world.user).await);
    answers.extend([hurry, defect]);
    let mut met = BTreeSet::new();
    for answer in answers {
        let code = answer.text_at("/code").to_owned();
        let page = world.app.anonymous().at_root();
        let page = page.get(answer.text_at("/type")).await.expect(200);
        for member in ["code", "title", "status", "type"] {
            assert_eq!(page.body[member], answer.body[member], "{code}");
        }
        // Each is provoked once, so that none hides behind another.
        assert!(met.insert(code.clone()), "{code} twice: {}", answer.text);
    }
    assert!(
        patience.contains(r#""code":"request_timeout""#),
        "{patience}"
    );
    met.insert("request_timeout".to_owned());
    assert_eq!(met, documented("ProblemCode"));
}
