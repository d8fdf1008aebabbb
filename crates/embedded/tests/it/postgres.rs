//! The embedded PostgreSQL.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use embedded::{EmbeddedError, Postgres, find_postgres};
use nix::sys::signal::Signal;

use crate::rig::{Holder, folder, is_alive, orphan, send, settings, start, wait_until};

#[tokio::test]
async fn data_stays_when_the_server_is_stopped_and_started() {
    let folder = folder();
    let server = start(&folder).await;
    let sql = "CREATE TABLE kept AS SELECT 'äöü' AS word";
    server.psql("readout", sql).await.unwrap();
    let pid = server.pid().unwrap();
    server.stop().await.unwrap();
    assert!(!is_alive(pid));

    let server = start(&folder).await;
    let kept = server.psql("readout", "SELECT word FROM kept").await;
    assert_eq!(kept.unwrap(), "äöü");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_durable_private_and_as_configured() {
    let folder = folder();
    let mut settings = settings(&folder);
    settings.port = 5999;
    settings.database = "it's \"odd\"".to_owned();
    settings
        .extra
        .push(("max_connections".to_owned(), "33".to_owned()));
    let server = Postgres::start(settings).await.unwrap();
    let sql = "SELECT current_database(), current_user, current_setting('fsync'), \
               current_setting('synchronous_commit'), current_setting('full_page_writes'), \
               current_setting('data_checksums'), current_setting('listen_addresses'), \
               current_setting('max_connections'), current_setting('timezone'), \
               current_setting('server_encoding')";
    let answer = server.psql("it's \"odd\"", sql).await.unwrap();
    assert_eq!(answer, "it's \"odd\"|readout|on|on|on|on||33|UTC|UTF8");
    assert_eq!(server.port(), 5999);
    for private in [server.data_directory(), server.socket_directory()] {
        let mode = fs::metadata(private).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", private.display());
    }
    assert_ne!(fs::metadata(server.data_directory()).unwrap().uid(), 0);
    let logs = fs::read_dir(folder.path().join("postgres/log")).unwrap();
    assert_eq!(logs.count(), 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn its_urls_work_for_libpq() {
    let folder = folder();
    let server = start(&folder).await;
    server.create_database("two words").await.unwrap();
    server.create_database("two words").await.unwrap();
    let psql = find_postgres(None).unwrap().program("psql");
    for (url, name) in [
        (server.url(), "readout"),
        (server.url_for("two words"), "two words"),
    ] {
        let mut psql = std::process::Command::new(&psql);
        let output = psql
            .args(["-XAtc", "SELECT current_database()", &url])
            .output();
        assert_eq!(
            String::from_utf8(output.unwrap().stdout).unwrap().trim(),
            name
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_program_on_the_folder_is_refused_with_the_id_of_the_first() {
    let folder = folder();
    let server = start(&folder).await;
    let refused = Postgres::start(settings(&folder)).await.unwrap_err();
    let us = format!("in use by process {}", std::process::id());
    assert!(matches!(refused, EmbeddedError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains(&us), "{refused}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_outlived_its_program_is_taken_over() {
    let folder = folder();
    let orphan = orphan(&folder);

    let server = start(&folder).await;
    assert_eq!(server.pid(), Some(orphan));
    send(orphan, Signal::SIGKILL);
    wait_until("another server", || {
        server.pid().is_some_and(|pid| pid != orphan)
    });
    wait_until_it_answers(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_still_stopping_is_waited_for() {
    let folder = folder();
    let orphan = orphan(&folder);
    send(orphan, Signal::SIGINT);

    let server = start(&folder).await;
    assert_ne!(server.pid(), Some(orphan));
    assert!(!is_alive(orphan));
    assert_eq!(server.psql("readout", "SELECT 1").await.unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_orphan_with_other_settings_is_started_again() {
    let folder = folder();
    let orphan = orphan(&folder);

    let mut settings = settings(&folder);
    settings
        .extra
        .push(("work_mem".to_owned(), "5MB".to_owned()));
    let server = Postgres::start(settings).await.unwrap();
    assert!(!is_alive(orphan));
    assert_eq!(
        server.psql("readout", "SHOW work_mem").await.unwrap(),
        "5MB"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_comes_back_with_its_data() {
    let folder = folder();
    let server = start(&folder).await;
    server
        .psql("readout", "CREATE TABLE kept (n int)")
        .await
        .unwrap();
    for n in 1..=3 {
        let insert = format!("INSERT INTO kept VALUES ({n})");
        server.psql("readout", &insert).await.unwrap();
        send(server.pid().unwrap(), Signal::SIGKILL);
        wait_until_it_answers(&server).await;
    }
    let count = server.psql("readout", "SELECT count(*) FROM kept").await;
    assert_eq!(count.unwrap(), "3");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_was_never_finished_is_ignored() {
    let folder = folder();
    let server = start(&folder).await;
    let place = server.data_directory().parent().unwrap().to_owned();
    server.stop().await.unwrap();
    fs::remove_dir_all(place.join("data")).unwrap();
    let unfinished = place.join("data.new-0123456789abcdef");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();

    let server = start(&folder).await;
    assert!(!unfinished.exists());
    assert_eq!(server.psql("readout", "SELECT 1").await.unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_killed_while_it_makes_the_cluster_leaves_nothing_in_the_way() {
    let folder = folder();
    let place = folder.path().join("postgres");
    let holder = Holder::start(&folder);
    wait_until("an unfinished cluster", || {
        let mut entries = fs::read_dir(&place).into_iter().flatten().flatten();
        entries.any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with("data.new-") && entry.path().join("PG_VERSION").exists()
        })
    });
    holder.kill();
    assert!(!place.join("data").exists());

    let server = start(&folder).await;
    assert_eq!(server.psql("readout", "SELECT 1").await.unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_lock_file_with_the_id_of_another_process_is_no_obstacle() {
    let folder = folder();
    let server = start(&folder).await;
    let lock_file = server.data_directory().join("postmaster.pid");
    let socket_lock = server.socket_directory().join(".s.PGSQL.5432.lock");
    let text = fs::read_to_string(&lock_file).unwrap();
    server.stop().await.unwrap();
    // A living process of the account that the server runs as.
    let other = start(&crate::rig::folder()).await;
    let rest = text.split_once('\n').unwrap().1;
    let stale = format!("{}\n{rest}", other.pid().unwrap());
    fs::write(&lock_file, &stale).unwrap();
    fs::write(&socket_lock, &stale).unwrap();

    let server = start(&folder).await;
    assert_eq!(server.psql("readout", "SELECT 1").await.unwrap(), "1");
    server.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_ends() {
    let folder = folder();
    let server = start(&folder).await;
    let pid = server.pid().unwrap();
    drop(server);
    wait_until("its end", || !is_alive(pid));
}

#[tokio::test]
async fn a_long_path_puts_the_socket_elsewhere() {
    let folder = folder();
    let mut settings = settings(&folder);
    settings.directory = folder
        .path()
        .join("a folder, with a name of 70 letters ".repeat(2));
    let server = Postgres::start(settings).await.unwrap();
    let sockets = server.socket_directory().to_owned();
    assert!(sockets.starts_with("/tmp"), "{}", sockets.display());
    assert_eq!(
        fs::metadata(&sockets).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_eq!(server.psql("readout", "SELECT 1").await.unwrap(), "1");
    server.stop().await.unwrap();
    fs::remove_dir_all(sockets).unwrap();
}

#[tokio::test]
async fn root_puts_a_folder_that_the_account_cannot_reach_elsewhere() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let server = start(&folder).await;
    assert!(!folder.path().join("postgres").exists());
    let place = server.data_directory().parent().unwrap().to_owned();
    assert!(place.starts_with("/var/lib/readout"), "{}", place.display());
    server
        .psql("readout", "CREATE TABLE kept ()")
        .await
        .unwrap();
    server.stop().await.unwrap();
    let server = start(&folder).await;
    assert_eq!(server.data_directory().parent().unwrap(), place);
    server.psql("readout", "SELECT * FROM kept").await.unwrap();
    server.stop().await.unwrap();
    fs::remove_dir_all(place).unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let folder = folder();
    let mut settings = settings(&folder);
    settings
        .extra
        .push(("shared_buffers".to_owned(), "lots".to_owned()));
    let error = Postgres::start(settings).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("\"shared_buffers\""), "{error}");
}

async fn wait_until_it_answers(server: &Postgres) {
    for _ in 0..300 {
        if server.psql("readout", "SELECT 1").await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the server did not come back");
}
