//! Tools that are killed half way, or whose service goes away, and go on.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use super::{Desk, Ended, stored};
use crate::support::{App, Proxy, ago, eventually, reading_at, time};

/// More than an export writes before it can be killed.
const MANY: usize = 120_000;

/// More lines than the smallest quota takes at once.
const LINES: usize = 10_400;

fn file() -> String {
    let line = |n: usize| {
        let (hour, minute, second) = (n / 3_600, n / 60 % 60, n % 60);
        format!("t,2026-01-01T{hour:02}:{minute:02}:{second:02}Z,{n}\n")
    };
    let lines: String = (0..LINES).map(line).collect();
    format!("metric,recorded_at,value\n{lines}")
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on_where_it_was() {
    let app = App::start_with(&[("RATE_LIMIT_DEVICE", "100".to_owned())]).await;
    let user = app.user().await;
    let device = user.device().await;
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let file = desk.file("in.csv", &file());
    // The quota holds it up for seconds before the last lines.
    let mut import = desk.spawn(&["import", &file]);
    eventually("a note", Duration::from_mins(1), async || {
        desk.path("in.csv.import").exists()
    })
    .await;
    import.kill().await.unwrap();

    // It does not go on with other options, nor with another file.
    let other = desk.run(&["import", &file, "--metric", "u"]).await;
    other.fails("other options");
    let text = desk.read("in.csv");
    desk.file("in.csv", &text.replacen(",7\n", ",8\n", 1));
    desk.run(&["import", &file]).await.fails("has changed");
    desk.file("in.csv", &text);

    let ended = desk.run(&["import", &file]).await.expect(0);
    ended
        .says("Going on at line 10,002.")
        .says("10,400 lines: 10,400 readings stored, 0 were there before");
    assert_eq!(stored(&user, &device).await.len(), LINES);
    assert!(!desk.path("in.csv.import").exists());
}

#[tokio::test]
async fn an_import_that_is_stopped_says_how_to_go_on() {
    let app = App::start_with(&[("RATE_LIMIT_DEVICE", "100".to_owned())]).await;
    let user = app.user().await;
    let device = user.device().await;
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let file = desk.file("in.csv", &file());
    let import = desk.spawn(&["import", &file]);
    eventually("a note", Duration::from_mins(1), async || {
        desk.path("in.csv.import").exists()
    })
    .await;
    interrupt(&import);
    Ended::of(import)
        .await
        .expect(130)
        .says("goes on from here");
    desk.run(&["import", &file])
        .await
        .expect(0)
        .says("10,400 readings stored");
}

fn interrupt(tool: &tokio::process::Child) {
    let pid = tool.id().unwrap().try_into().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
}

/// A desk of someone who has many readings, and the id of their device.
async fn with_many(app: &App) -> (Desk, String) {
    let user = app.user().await;
    let device = user.device().await;
    device.ingest_text(&reading_at(ago(1), 0)).await.expect(201);
    // Two metrics at each time, of which one may be written when the other is not.
    device
        .ingest_text(&reading_at(ago(1), 0).replace("\"t\"", "\"u\""))
        .await
        .expect(201);
    let fill = format!(
        "insert into samples select id, now() - interval '2 hours' + n * interval '10 milliseconds', n / 1000.000
         from series, generate_series(1, {}) n",
        MANY / 2 - 1
    );
    app.sql().await.run(&fill).await.unwrap();
    (Desk::of(app, &user), device.id)
}

/// What must be in the file: every reading once, in order.
fn assert_complete(text: &str, id: &str) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("device_id,metric,recorded_at,value"));
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), MANY);
    let (mut seen, mut before) = (HashSet::new(), None);
    for line in &lines {
        assert!(line.len() == 4 && line[0] == id, "{line:?}");
        assert!(seen.insert((line[1], line[2])), "twice: {line:?}");
        let at = Some(time(line[2]));
        assert!(before <= at, "out of order: {line:?}");
        before = at;
    }
}

#[tokio::test]
async fn an_export_that_was_killed_goes_on_from_its_last_whole_line() {
    let app = App::start().await;
    let (desk, id) = with_many(&app).await;
    let out = desk.name("out.csv");
    let part = desk.path("out.csv.part");
    let mut kills = 0;
    for bytes in [50_000, 3_000_000] {
        let mut export = desk.spawn(&["export", "--output", &out]);
        let grown = || fs::metadata(&part).is_ok_and(|it| it.len() > bytes);
        eventually("a part", Duration::from_mins(1), async || {
            grown() || desk.path("out.csv").exists()
        })
        .await;
        kills += usize::from(!desk.path("out.csv").exists());
        export.kill().await.unwrap();
    }
    assert!(kills > 0, "it was always faster");
    if part.exists() {
        // As a crash of the machine may leave it: in the middle of a line.
        let length = fs::metadata(&part).unwrap().len();
        fs::File::options()
            .write(true)
            .open(&part)
            .unwrap()
            .set_len(length - 7)
            .unwrap();
        let other = desk
            .run(&["export", "--output", &out, "--metric", "t"])
            .await;
        other.fails("other options");
    }
    let ended = desk.run(&["export", "--output", &out]).await.expect(0);
    assert!(ended.errors.contains("Going on after"), "{}", ended.errors);
    assert_complete(&desk.read("out.csv"), &id);
    assert!(!part.exists() && !desk.path("out.csv.part.export").exists());
}

#[tokio::test]
async fn a_stream_that_is_cut_goes_on_without_a_gap() {
    let proxy = Proxy::start().await;
    let app = App::start_behind(&proxy).await;
    let (desk, id) = with_many(&app).await;
    let out = desk.name("out.csv");
    let export = desk.spawn(&["export", "--output", &out]);
    for bytes in [100_000, 4_000_000] {
        let grown = || fs::metadata(desk.path("out.csv.part")).is_ok_and(|it| it.len() > bytes);
        eventually("a part", Duration::from_mins(1), async || {
            grown() || desk.path("out.csv").exists()
        })
        .await;
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.open();
    }
    Ended::of(export).await.expect(0);
    assert_complete(&desk.read("out.csv"), &id);
}
