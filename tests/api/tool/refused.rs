//! What goes wrong is told in one line, without a secret, and by the exit code.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Desk;
use crate::support::{App, PASSWORD};

/// A key that no device has.
const STRANGE_KEY: &str = "rdk_0000000000000000000000000000000000000000000";

fn tools(file: &str) -> [Vec<&str>; 3] {
    [
        vec!["simulate", "--devices", "1", "--duration", "1s"],
        vec!["import", file],
        vec!["export", "--output", "-"],
    ]
}

#[tokio::test]
async fn a_wrong_url_is_told_at_once() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let mut desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let file = desk.file(
        "in.csv",
        "metric,recorded_at,value\nt,2026-01-01T00:00:00Z,1\n",
    );
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}", other.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let mut request = [0; 4096];
            let _begun = stream.read(&mut request).await;
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi";
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    for (url, words) in [
        ("http://127.0.0.1:1", "cannot be reached"),
        (elsewhere.as_str(), "does not answer like Readout"),
    ] {
        desk.variables[0].1 = url.to_owned();
        for arguments in tools(&file) {
            let ended = desk.run(&arguments).await.fails(words);
            assert!(ended.errors.contains(url), "{}", ended.errors);
        }
    }
    desk.variables[0].1 = "nonsense".to_owned();
    for arguments in tools(&file) {
        desk.run(&arguments).await.expect(2);
    }
}

#[tokio::test]
async fn a_credential_that_is_not_accepted_is_told_and_not_repeated() {
    let app = App::start().await;
    let user = app.user().await;
    let desk = || Desk::new(&app);
    let text = "metric,recorded_at,value\nt,2026-01-01T00:00:00Z,1\n";
    let unsigned = desk();
    unsigned
        .run(&["export", "--output", "-"])
        .await
        .fails("READOUT_TOKEN");
    let file = unsigned.file("in.csv", text);
    unsigned
        .run(&["import", &file])
        .await
        .fails("READOUT_DEVICE_KEY");

    for (name, value) in [
        ("READOUT_TOKEN", "not-a-token"),
        ("READOUT_API_KEY", "rpk_nonsense"),
    ] {
        let desk = desk().with(name, value);
        for arguments in [
            &["export", "--output", "-"][..],
            &["simulate", "--devices", "1"],
        ] {
            let ended = desk.run(arguments).await.fails("401 unauthenticated");
            assert!(!ended.errors.contains(value), "{}", ended.errors);
        }
    }
    let wrong = desk()
        .with("READOUT_EMAIL", &user.email)
        .with("READOUT_PASSWORD", "wrong password");
    let ended = wrong
        .run(&["export", "--output", "-"])
        .await
        .fails("invalid_credentials");
    assert!(!ended.errors.contains("wrong password"), "{}", ended.errors);
    let right = desk()
        .with("READOUT_EMAIL", &user.email)
        .with("READOUT_PASSWORD", PASSWORD);
    right.run(&["export", "--output", "-"]).await.expect(0);
}

#[tokio::test]
async fn a_device_that_may_not_post_is_told_without_its_key() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let desk = || Desk::new(&app);
    let text = "metric,recorded_at,value\nt,2026-01-01T00:00:00Z,1\n";
    let malformed = desk().with("READOUT_DEVICE_KEY", STRANGE_KEY);
    let file = malformed.file("in.csv", text);
    let ended = malformed
        .run(&["import", &file])
        .await
        .fails("is not a device key");
    assert!(!ended.errors.contains(STRANGE_KEY), "{}", ended.errors);

    user.patch(&device.path(""), &json!({"enabled": false}))
        .await
        .expect(200);
    let disabled = desk();
    let key = disabled.file("key", &device.key);
    let file = disabled.file("in.csv", text);
    let arguments = ["import", &file, "--device-key-file", &key];
    let ended = disabled.run(&arguments).await.fails("403 device_disabled");
    assert!(!ended.errors.contains(&device.key), "{}", ended.errors);
    user.delete(&device.path("")).await.expect(204);
    disabled
        .run(&arguments)
        .await
        .fails("401 invalid_device_key");
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_is_told_before_anything_is_posted() {
    let app = App::start().await;
    let user = app.user().await;
    let device = user.device().await;
    let desk = Desk::of(&app, &user).with("READOUT_DEVICE_KEY", &device.key);
    let missing = desk.name("missing.csv");
    desk.run(&["import", &missing]).await.fails("missing.csv");
    let file = desk.file("in.csv", "when,what\n2026-01-01 00:00:00,1\n");
    desk.run(&["import", &file])
        .await
        .fails("has no column recorded_at or timestamp or time");
    let columns = [
        "import",
        &file,
        "--time-column",
        "when",
        "--value-column",
        "what",
        "--metric",
        "t",
    ];
    desk.run(&columns).await.fails("see --timezone");
    let quote = format!("metric,recorded_at,value\n\"t,{}", "x".repeat(5_000_000));
    let file = desk.file("quote.csv", &quote);
    desk.run(&["import", &file])
        .await
        .fails("is a quote never closed?");
    assert!(!desk.path("in.rejected.csv").exists() && !desk.path("in.csv.import").exists());
    let rule = ["simulate", "--rule", "pressure>1"];
    desk.run(&rule)
        .await
        .fails("no device of this fleet measures pressure");
}

#[tokio::test]
async fn help_tells_what_each_tool_does_and_not_what_the_server_is_set_to() {
    let desk_words = [
        ("simulate", "Nothing that was measured is lost"),
        ("import", "Exit code"),
        ("export", "goes on from its last whole line"),
    ];
    for (tool, words) in desk_words {
        let variables = [("READOUT_PASSWORD", "hunter2".to_owned())];
        let output = crate::support::program(&[tool, "--help"], &variables).await;
        let help = String::from_utf8(output.stdout).unwrap();
        let flowing = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.success() && flowing.contains(words), "{help}");
        assert!(
            !help.contains("hunter2") && !help.contains("DATABASE_URL"),
            "{help}"
        );
    }
}
