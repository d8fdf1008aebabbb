//! The command line: settings that are refused in a sentence, and help that names them all.

use crate::support::{AUTH_SECRET, App, Database, program};

/// The standard error of a command that must fail.
async fn refused(arguments: &[&str], settings: &[(&str, String)]) -> String {
    let output = program(arguments, settings).await;
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success(),
        "{arguments:?} {settings:?} should be refused"
    );
    assert!(
        output.status.code().is_some(),
        "by an exit code and not a signal"
    );
    assert!(!message.contains("panicked"), "{message}");
    assert!(
        !message.trim().is_empty(),
        "without a word: {arguments:?} {settings:?}"
    );
    message
}

#[tokio::test]
async fn a_malformed_setting_is_refused_by_name() {
    let database = Database::migrated().await;
    for (name, value) in [
        ("DATABASE_URL", "mysql://localhost/readout"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_MAX_CONNECTIONS", "0"),
        ("DATABASE_MAX_CONNECTIONS", "many"),
        ("DATABASE_MAX_CONNECTIONS", "-1"),
        ("DATABASE_PREPARED_STATEMENTS", "perhaps"),
        ("LISTEN_ADDR", "here"),
        ("LISTEN_ADDR", "127.0.0.1"),
        ("LISTEN_ADDR", "127.0.0.1:99999"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "readout=loud"),
        ("RATE_LIMITS", "perhaps"),
        ("RATE_LIMIT_DEVICE", "0"),
        ("RATE_LIMIT_DEVICE", "10000001"),
        ("RATE_LIMIT_OWNER", "many"),
        ("AUTH_SECRET", "too short"),
        ("AUTH_SECRET_PREVIOUS", "too short"),
        ("SMTP_URL", "too short"),
        ("MAIL_FROM", "nobody"),
        ("PUBLIC_URL", "readout.example"),
        ("APP_URL", "ftp://app.example"),
    ] {
        let mut settings = App::settings(&database);
        settings.retain(|(known, _)| *known != name);
        settings.push((name, value.to_owned()));
        let message = refused(&["serve"], &settings).await;
        let option = name.to_lowercase().replace('_', "-");
        assert!(
            message.contains(name) || message.contains(&option),
            "{name}={value}: {message}"
        );
        assert!(
            !message.contains("too short"),
            "a secret is not repeated: {message}"
        );
    }
}

#[tokio::test]
async fn a_secret_is_required_where_the_database_is_another_s() {
    let database = Database::migrated().await;
    let mut settings = App::settings(&database);
    settings.retain(|(name, _)| *name != "AUTH_SECRET");
    let message = refused(&["serve"], &settings).await;
    assert!(
        message.contains("AUTH_SECRET") && message.contains("32"),
        "{message}"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let database = Database::migrated().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut settings = App::settings(&database);
    settings.retain(|(name, _)| *name != "LISTEN_ADDR");
    settings.push(("LISTEN_ADDR", address.clone()));
    let message = refused(&["serve"], &settings).await;
    assert!(message.contains(&address), "{message}");
}

#[tokio::test]
async fn a_command_that_is_none_is_refused() {
    for arguments in [
        &["fly"][..],
        &["migrate"],
        &["migrate", "sideways"],
        &["keys"],
        &["keys", "lose"],
        &["serve", "--surprise"],
        &[],
    ] {
        refused(arguments, &[]).await;
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    let url = "postgres://someone:hunter2@127.0.0.1:1/nothing".to_owned();
    let settings = [("DATABASE_URL", url)];
    // Each of them tries for a while.
    let (up, status) = tokio::join!(
        refused(&["migrate", "up"], &settings),
        refused(&["migrate", "status"], &settings),
    );
    for message in [up, status] {
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn help_tells_every_setting_and_no_secret() {
    let settings = [
        ("AUTH_SECRET", AUTH_SECRET.to_owned()),
        (
            "DATABASE_URL",
            "postgres://someone:hunter2@127.0.0.1:1/nothing".to_owned(),
        ),
        ("SMTP_URL", "smtp://someone:hunter2@127.0.0.1:1".to_owned()),
    ];
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["migrate", "--help"],
        &["keys", "rotate", "--help"],
    ] {
        let output = program(arguments, &settings).await;
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(
            !help.contains(AUTH_SECRET) && !help.contains("hunter2"),
            "{help}"
        );
        for name in [
            "DATABASE_URL",
            "DATABASE_DIRECT_URL",
            "DATABASE_MAX_CONNECTIONS",
            "AUTH_SECRET",
            "AUTH_SECRET_PREVIOUS",
            "LISTEN_ADDR",
            "DATA_DIR",
            "SMTP_URL",
            "MAIL_FROM",
            "PUBLIC_URL",
            "APP_URL",
            "LOG_FORMAT",
            "RUST_LOG",
        ] {
            assert!(help.contains(name), "{arguments:?} {name}: {help}");
        }
    }
    let version = program(&["--version"], &[]).await;
    assert!(
        String::from_utf8(version.stdout)
            .unwrap()
            .starts_with("readout ")
    );
}
