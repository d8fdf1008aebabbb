//! `readout import`: what a file becomes.

use std::fmt::Write;

use super::{Desk, stored};
use crate::support::App;

#[tokio::test]
async fn values_come_back_with_every_digit() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let lines: Vec<String> = [
        "74.93588199999998",
        "1.50",
        "-0.0010",
        "9999999999999999999999999999",
        "0.0000000000000000000000000001",
        "0.00",
    ]
    .iter()
    .enumerate()
    .map(|(n, value)| format!("t,2026-01-01T00:00:0{n}Z,{value}"))
    .collect();
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let file = desk.file(
        "in.csv",
        &format!("metric,recorded_at,value\r\n{}\r\n", lines.join("\r\n")),
    );
    desk.run(&["import", &file])
        .await
        .expect(0)
        .says("6 readings stored");
    assert_eq!(stored(&user, &device).await, lines);
    desk.run(&["import", &file])
        .await
        .expect(0)
        .says("0 readings stored, 6 were there before");

    let out = desk.name("out.csv");
    desk.run(&["export", "--output", &out]).await.expect(0);
    let exported = desk.read("out.csv");
    let expected: Vec<_> = lines
        .iter()
        .map(|line| format!("{},{line}", device.id))
        .collect();
    assert_eq!(
        exported,
        format!(
            "device_id,metric,recorded_at,value\n{}\n",
            expected.join("\n")
        )
    );

    // And what was exported can be imported, as another device.
    let other = user.device().await;
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &other.key);
    let file = desk.file("again.csv", &exported);
    desk.run(&["import", &file]).await.expect(0);
    assert_eq!(stored(&user, &other).await, lines);
    for name in ["again.csv.import", "again.rejected.csv"] {
        assert!(!desk.path(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn refused_lines_are_kept_with_the_reason_and_the_rest_is_stored() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let file = desk.file(
        "in.csv",
        "time,metric,value,remark\n\
         2026-01-01T00:00:00Z,t,1,fine\n\
         2026-01-01T00:00:01Z,t,wet,\"a, b\"\n\
         yesterday,t,1,\n\
         2026-01-01T00:00:02Z,1t,1,\n\
         1999-12-31T00:00:00Z,t,1,\n\
         2026-01-01T00:00:00Z,t,2,\n\
         2026-01-01T00:00:03Z,t,3\n\
         2026-01-01T00:00:04Z,t,4,\n",
    );
    let ended = desk.run(&["import", &file]).await.expect(3);
    ended
        .says("8 lines: 2 readings stored")
        .says("6 lines rejected");
    let rejected = desk.read("in.rejected.csv");
    let lines: Vec<_> = rejected.lines().collect();
    assert_eq!(
        lines[0],
        "time,metric,value,remark,rejected_line,rejected_reason"
    );
    for (place, words) in [
        (1, "2026-01-01T00:00:01Z,t,wet,\"a, b\",3,"),
        (2, "yesterday,t,1,,4,"),
        (3, "no metric"),
        (4, "recorded_at_too_old"),
        (5, "reading_conflict"),
        (6, "has 3 cells, and not 4"),
    ] {
        let line = lines[place].replace("must be a letter", "no metric");
        assert!(line.contains(words), "{words}: {line}");
    }

    // Corrected, they are imported from there; cells that were missing are empty now.
    let corrected = rejected
        .replace("wet", "1.5")
        .replace("yesterday", "2026-01-01T00:00:09Z");
    let file = desk.file("second.csv", &corrected);
    desk.run(&["import", &file])
        .await
        .expect(3)
        .says("3 readings stored");
    assert_eq!(stored(&user, &device).await.len(), 5);
}

#[tokio::test]
async fn a_column_for_each_metric_and_local_times_are_understood() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let file = desk.file(
        "wide.csv",
        "\u{feff}timestamp;temperature;humidity\n01.07.2026 12:00;21,50;\n01.07.2026 12:01;21,5;40\n",
    );
    let arguments = [
        "import",
        &file,
        "--wide",
        "--delimiter",
        ";",
        "--decimal-comma",
        "--time-format",
        "%d.%m.%Y %H:%M",
        "--timezone",
        "Europe/Berlin",
    ];
    desk.run(&arguments)
        .await
        .expect(0)
        .says("2 lines: 3 readings stored");
    let wide = [
        "temperature,2026-07-01T10:00:00Z,21.50",
        "humidity,2026-07-01T10:01:00Z,40",
        "temperature,2026-07-01T10:01:00Z,21.5",
    ];
    let mut found = stored(&user, &device).await;
    found[1..].sort();
    assert_eq!(found, wide);

    let file = desk.file("epoch.csv", "t,v\n1767225600.25,1\n1767225601,2\n");
    let columns = [
        "--time-column",
        "t",
        "--value-column",
        "v",
        "--metric",
        "e",
        "--precision",
        "s",
    ];
    desk.run(&[&["import", &file][..], &columns].concat())
        .await
        .expect(0);
    let found = stored(&user, &device).await;
    assert_eq!(
        found[..2],
        ["e,2026-01-01T00:00:00.250Z,1", "e,2026-01-01T00:00:01Z,2"]
    );
}

#[tokio::test]
async fn a_sheet_has_the_keys_of_many_devices() {
    let app = App::start().await;
    let user = app.user().await;
    let (one, two) = (
        user.device_named("One").await,
        user.device_named("Two").await,
    );
    let desk = Desk::of(&app, &user);
    let sheet = format!(
        "device_id,name,device_key\n{},One,{}\n{},Two,{}\n",
        one.id, one.key, two.id, two.key
    );
    let sheet = desk.file("sheet.csv", &sheet);
    let mut text = "device,metric,recorded_at,value\n".to_owned();
    for n in 0..3_000 {
        let device = if n % 2 == 0 { one.id.as_str() } else { "Two" };
        let (minute, second) = (n / 60, n % 60);
        writeln!(
            text,
            "{device},t,2026-01-01T00:{minute:02}:{second:02}Z,{n}"
        )
        .unwrap();
    }
    text.push_str("Three,t,2026-01-01T00:00:00Z,0\n");
    let file = desk.file("in.csv", &text);
    let ended = desk
        .run(&["import", &file, "--sheet", &sheet])
        .await
        .expect(3);
    ended.says("3,000 readings stored").says("1 lines rejected");
    assert!(desk.read("in.rejected.csv").contains("is not in the sheet"));
    assert_eq!(stored(&user, &one).await.len(), 1_500);
    assert_eq!(stored(&user, &two).await.len(), 1_500);
    let only = ["import", &file, "--sheet", &sheet, "--device", "One"];
    desk.run(&only)
        .await
        .expect(0)
        .says("1,500 were there before")
        .says("1,501 of other devices");

    // One key is for one device, and no line of another goes to it.
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &one.key);
    let file = desk.file(
        "in.csv",
        "device,metric,recorded_at,value\nA,u,2026-01-01T00:00:00Z,1\nB,u,2026-01-01T00:00:01Z,2\n",
    );
    desk.run(&["import", &file])
        .await
        .expect(3)
        .says("1 readings stored");
    desk.run(&["import", &file, "--device", "B"])
        .await
        .expect(0)
        .says("1 readings stored");
}
