//! `readout export`: what is written, and where.

use serde_json::json;

use super::Desk;
use crate::support::{App, reading, time};

#[tokio::test]
async fn devices_metrics_and_range_can_be_chosen() {
    let app = App::start().await;
    let user = app.user().await;
    let (one, two) = (
        user.device_named("One").await,
        user.device_named("Two").await,
    );
    user.patch(&two.path(""), &json!({"tags": {"site": "north"}}))
        .await
        .expect(200);
    for device in [&one, &two] {
        for (metric, value) in [("t", "1.50"), ("u", "2")] {
            for at in ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"] {
                device
                    .ingest_text(&reading(metric, time(at), value))
                    .await
                    .expect(201);
            }
        }
    }
    let desk = Desk::of(&app, &user);
    for (arguments, lines) in [
        (&[][..], 8),
        (&["--device", "One"], 4),
        (
            &["--device", &one.id, "--device", &two.id, "--metric", "t"],
            4,
        ),
        (
            &["--tag", "site:north", "--start", "2026-01-02T00:00:00Z"],
            2,
        ),
        (&["--end", "2026-01-02T00:00:00Z"], 4),
        (&["--end", "2025-01-01T00:00:00Z"], 0),
    ] {
        let ended = desk
            .run(&[&["export", "--output", "-"], arguments].concat())
            .await
            .expect(0);
        assert_eq!(
            ended.output.lines().count(),
            lines + 1,
            "{arguments:?}: {}",
            ended.output
        );
    }
}

#[tokio::test]
async fn lines_can_be_json_objects() {
    let app = App::start().await;
    let user = app.user().await;
    let two = user.device_named("Two").await;
    for (at, value) in [
        ("2026-01-01T00:00:00Z", "1.50"),
        ("2026-01-02T00:00:00Z", "2"),
    ] {
        let text = reading("t", time(at), value);
        two.ingest_text(&text).await.expect(201);
    }
    let desk = Desk::of(&app, &user);
    let out = desk.name("out.ndjson");
    let arguments = [
        "export",
        "-o",
        &out,
        "--device",
        "Two",
        "--metric",
        "t",
        "--end",
        "2026-01-02T00:00:00Z",
    ];
    desk.run(&arguments).await.expect(0);
    let line = format!(
        "{{\"device_id\":\"{}\",\"metric\":\"t\",\"recorded_at\":\"2026-01-01T00:00:00Z\",\"value\":1.50}}\n",
        two.id
    );
    assert_eq!(desk.read("out.ndjson"), line);
}

#[tokio::test]
async fn devices_that_are_not_there_are_named() {
    let app = App::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let twins = [
        user.device_named("Twin").await,
        user.device_named("Twin").await,
    ];
    let theirs = stranger.device_named("Theirs").await;
    let desk = Desk::of(&app, &user);
    for (device, words) in [
        ("Nobody", "no device"),
        ("Theirs", "no device"),
        ("Twin", "several devices"),
        (&theirs.id, "404 not_found"),
    ] {
        let out = desk.name("out.csv");
        desk.run(&["export", "--output", &out, "--device", device])
            .await
            .fails(words);
        assert_eq!(desk.folder.path().read_dir().unwrap().count(), 0);
    }
    let ended = desk
        .run(&["export", "--output", "-", "--device", &twins[0].id])
        .await;
    assert_eq!(ended.expect(0).output.lines().count(), 1);
}
