//! `readout simulate`: fleets of every kind, through everything that may happen to the service.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Desk, Ended};
use crate::support::{App, Server, eventually};

/// The figure of a row of the summary.
#[track_caller]
fn figure(ended: &Ended, row: &str) -> u64 {
    let line = ended.output.lines().find(|line| line.starts_with(row));
    let line = line.unwrap_or_else(|| panic!("no {row}: {}", ended.output));
    let number = line[row.len()..].split_whitespace().next().unwrap();
    number
        .trim_end_matches(',')
        .replace(',', "")
        .parse()
        .unwrap()
}

/// Everything that was measured is acknowledged, and is what is stored.
#[track_caller]
fn assert_whole(ended: &Ended) {
    let measured = figure(ended, "measured ");
    assert!(measured > 0, "{}", ended.output);
    assert_eq!(figure(ended, "acknowledged"), measured, "{}", ended.output);
    assert_eq!(figure(ended, "stored"), measured, "{}", ended.output);
    assert_eq!(figure(ended, "not acknowledged"), 0, "{}", ended.output);
    assert_eq!(figure(ended, "refused"), 0, "{}", ended.output);
}

#[tokio::test]
async fn every_profile_posts_all_that_it_measures() {
    let app = App::start().await;
    let desk = Desk::new(&app);
    for profile in [
        "temperature",
        "power-meter",
        "flaky",
        "drifting-clock",
        "outage",
    ] {
        let arguments = [
            "simulate",
            "--profile",
            profile,
            "--devices",
            "3",
            "--backfill",
            "2h",
            "--interval",
            "50ms",
            "--duration",
            "3s",
            "--verify",
        ];
        let ended = desk.run(&arguments).await.expect(0);
        assert_whole(&ended);
        if profile == "flaky" {
            assert!(figure(&ended, "duplicates") > 0, "{}", ended.output);
        } else {
            // Two metrics each: 120 minutes of history and sixty measurements.
            assert_eq!(
                figure(&ended, "measured "),
                3 * 2 * (120 + 60),
                "{profile}: {}",
                ended.output
            );
        }
    }
}

#[tokio::test]
async fn three_commands_lead_to_an_alert_that_fires_and_resolves() {
    let app = App::start().await;
    let desk = Desk::new(&app);
    let (sheet, variables) = (desk.name("sheet.csv"), desk.name("demo.env"));
    let arguments = [
        "simulate",
        "--demo",
        "--interval",
        "100ms",
        "--duration",
        "5s",
        "--sheet",
        &sheet,
        "--env-file",
        &variables,
    ];
    let ended = desk.run(&arguments).await.expect(0);
    let ended = ended
        .says("ALERT    temperature 1: temperature > 30")
        .says("1 fired, 1 resolved");
    assert!(
        figure(&ended, "measured ") > 5 * 2 * 1_300,
        "{}",
        ended.output
    );

    // With what it wrote, one can look at it and post for the same devices.
    for name in ["sheet.csv", "demo.env"] {
        let mode = desk.path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let text = desk.read("demo.env");
    let value = |name: &str| {
        let begin = format!("export {name}='");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&begin))
            .unwrap();
        line.trim_end_matches('\'').to_owned()
    };
    let client = app.anonymous().with_token(&value("READOUT_TOKEN"));
    let alerts = client.get("/alerts?status=resolved").await.expect(200);
    assert_eq!(alerts.data().len(), 1);
    let devices = client.all("/devices?tag=profile:outage").await;
    assert_eq!(devices.len(), 1);
    let later = Desk::new(&app)
        .with("READOUT_EMAIL", &value("READOUT_EMAIL"))
        .with("READOUT_PASSWORD", &value("READOUT_PASSWORD"));
    let file = later.file(
        "in.csv",
        "device,metric,recorded_at,value\noutage 5,extra,2026-01-01T00:00:00Z,1.50\n",
    );
    later
        .run(&["import", &file, "--sheet", &sheet])
        .await
        .expect(0);
    let exported = later
        .run(&["export", "--output", "-", "--metric", "extra"])
        .await
        .expect(0);
    exported.says("extra,2026-01-01T00:00:00Z,1.50");
}

#[tokio::test]
async fn nothing_is_lost_when_the_service_is_killed_and_comes_back() {
    let mut app = App::start().await;
    let desk = Desk::new(&app);
    let server = app.servers.remove(0);
    let address = server.url().trim_start_matches("http://").to_owned();
    let sql = app.sql().await;
    let simulate = desk.spawn(&[
        "simulate",
        "--devices",
        "10",
        "--interval",
        "50ms",
        "--duration",
        "8s",
        "--verify",
        "--backfill",
        "1h",
    ]);
    let count = async || {
        sql.one("select count(*) from samples")
            .await
            .parse::<u64>()
            .unwrap()
    };
    eventually("new readings", Duration::from_mins(1), async || {
        count().await > 2_000
    })
    .await;
    server.signal(Signal::SIGKILL);
    drop(server);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut settings = App::settings(&app.database);
    settings.retain(|(name, _)| *name != "LISTEN_ADDR");
    settings.push(("LISTEN_ADDR", address));
    let _again = Server::start(&settings).await;
    let ended = Ended::of(simulate).await.expect(0);
    assert_whole(&ended);
    ended.says("connection ");
}

#[tokio::test]
async fn an_interrupt_ends_it_cleanly_with_a_summary() {
    let app = App::start().await;
    let desk = Desk::new(&app);
    let mut simulate = desk.spawn(&[
        "simulate",
        "--devices",
        "5",
        "--interval",
        "20ms",
        "--verify",
    ]);
    let mut lines = BufReader::new(simulate.stdout.take().unwrap()).lines();
    let mut output = String::new();
    let pid = Pid::from_raw(simulate.id().unwrap().try_into().unwrap());
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("Provisioned") {
            tokio::time::sleep(Duration::from_secs(1)).await;
            kill(pid, Signal::SIGINT).unwrap();
        }
        output.push_str(&line);
        output.push('\n');
    }
    let mut ended = Ended::of(simulate).await.expect(0);
    ended.output = output;
    assert_whole(&ended);
}

#[tokio::test]
async fn a_quota_only_slows_it_down() {
    let app = App::start_with(&[
        ("RATE_LIMIT_DEVICE", "2000".to_owned()),
        ("RATE_LIMIT_OWNER", "200".to_owned()),
    ])
    .await;
    let desk = Desk::new(&app);
    let arguments = [
        "simulate",
        "--devices",
        "4",
        "--profile",
        "temperature",
        "--backfill",
        "26h",
        "--interval",
        "1s",
        "--duration",
        "2s",
        "--verify",
    ];
    let ended = desk.run(&arguments).await.expect(0);
    assert_whole(&ended);
    ended.says("rate_limited ");
}
