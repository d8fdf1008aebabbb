//! `readout serve` without a database: it brings its own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Client, Server, User, eventually, points, reading_at, time};

/// A folder that a server's account can reach, also where we are root.
fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("readout-data-")
        .permissions(Permissions::from_mode(0o755));
    builder.tempdir().unwrap()
}

/// The link and the token of a mail that was logged instead of being sent.
async fn logged_mail(server: &Server) -> (String, String) {
    let mails = || {
        let log = server.log();
        let events = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let text = |it: &Value| it.as_str().map(str::to_owned);
        let found =
            events.filter_map(|event| Some((text(&event["link"])?, text(&event["token"])?)));
        found.collect::<Vec<_>>()
    };
    let within = std::time::Duration::from_secs(30);
    eventually("a mail is logged", within, async || !mails().is_empty()).await;
    mails().remove(0)
}

#[tokio::test]
async fn without_a_database_it_brings_its_own_and_finds_it_again() {
    let folder = folder();
    let settings = [
        ("DATA_DIR", folder.path().to_str().unwrap().to_owned()),
        ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
        ("LOG_FORMAT", "json".to_owned()),
    ];
    let client = |server: &Server| Client::anonymous([server.url().to_owned()].into());
    let mut server = Server::start(&settings).await;
    client(&server)
        .at_root()
        .get("/health/ready")
        .await
        .expect(200);
    let user = User::sign_up(&client(&server)).await;
    // Its own, too, is the way that mail takes: to whoever looks at the log, which says so.
    assert!(server.log().contains("its links and tokens"));
    let (link, token) = logged_mail(&server).await;
    assert!(link.starts_with(server.url()), "{link}");
    let body = serde_json::json!({"token": token});
    let verified = client(&server).post("/auth/verify-email", &body).await;
    verified.expect(204);
    let device = user.device().await;
    let at = time("2026-01-31T12:00:00Z");
    device
        .ingest_text(&reading_at(at, "21.50"))
        .await
        .expect(201);
    server.signal(Signal::SIGTERM);
    let status = server.ended().await;
    assert!(status.success(), "{status}: {}", server.log());

    let mut server = Server::start(&settings).await;
    // The secret was kept too, so the session goes on.
    let again = client(&server).with_token(&user.access_token);
    let stored = points(&again.get(&device.path("/readings")).await.expect(200));
    assert_eq!(stored[0].value(), "21.50");
    server.signal(Signal::SIGINT);
    assert!(server.ended().await.success(), "{}", server.log());
}
