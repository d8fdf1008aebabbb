//! Changes of `AUTH_SECRET`, meant and not meant.

use super::{count, run};
use crate::support::{AUTH_SECRET, App, Client, Database, Server, User};

const OTHER_SECRET: &str = "another secret for tests, of more than 32 bytes";

fn with_secret(
    database: &Database,
    secrets: &[(&'static str, &str)],
) -> Vec<(&'static str, String)> {
    let mut settings = App::settings(database);
    settings.retain(|(name, _)| *name != "AUTH_SECRET");
    settings.extend(
        secrets
            .iter()
            .map(|(name, secret)| (*name, (*secret).to_owned())),
    );
    settings
}

#[tokio::test]
async fn the_secret_is_changed_with_the_previous_one_at_hand() {
    let database = Database::migrated().await;
    let secrets = |secrets: &[(&'static str, &str)]| with_secret(&database, secrets);
    let client = |server: &Server| Client::anonymous([server.url().to_owned()].into());
    let old = Server::start(&App::settings(&database)).await;
    let user = User::sign_up(&client(&old)).await;
    let both = secrets(&[
        ("AUTH_SECRET", OTHER_SECRET),
        ("AUTH_SECRET_PREVIOUS", AUTH_SECRET),
    ]);
    let between = Server::start(&both).await;
    // While both run, each takes what the other signs.
    let newer = User::sign_up(&client(&between)).await;
    for server in [&old, &between] {
        for token in [&user.access_token, &newer.access_token] {
            client(server)
                .with_token(token)
                .get("/devices")
                .await
                .expect(200);
        }
    }
    drop((old, between));
    let new = Server::start(&secrets(&[("AUTH_SECRET", OTHER_SECRET)])).await;
    client(&new)
        .with_token(&user.access_token)
        .get("/devices")
        .await
        .expect(200);
    User::sign_up(&client(&new)).await;
    assert_eq!(count(&database.sql().await).await, "1");
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_makes_no_key() {
    let database = Database::migrated().await;
    drop(Server::start(&App::settings(&database)).await);
    let sql = database.sql().await;
    let before = sql.rows("select * from signing_keys").await;
    let wrong = with_secret(&database, &[("AUTH_SECRET", OTHER_SECRET)]);
    for arguments in [&["serve"][..], &["keys", "rotate"]] {
        let (done, printed) = run(arguments, &wrong).await;
        assert!(!done, "{printed}");
        for word in ["AUTH_SECRET_PREVIOUS", "readout keys rotate --at-once"] {
            assert!(printed.contains(word), "{printed}");
        }
        assert!(!printed.contains(OTHER_SECRET), "{printed}");
        assert_eq!(sql.rows("select * from signing_keys").await, before);
    }
    // To list them takes no secret, and who has lost it can begin anew.
    let (done, printed) = run(&["keys", "list"], &wrong).await;
    assert!(done && printed.contains(&before[0][0]), "{printed}");
    let (done, printed) = run(&["keys", "rotate", "--at-once"], &wrong).await;
    assert!(done, "{printed}");
    let server = Server::start(&wrong).await;
    User::sign_up(&Client::anonymous([server.url().to_owned()].into())).await;
    let (done, _) = run(&["serve"], &App::settings(&database)).await;
    assert!(!done, "the secret of before is the wrong one now");
}
