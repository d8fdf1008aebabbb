//! Links that the servers' account put in its folder: nothing is written, taken or given away through them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use embedded::{EmbeddedError, PgBouncer, PgBouncerSettings, Postgres};
use tempfile::TempDir;

use crate::rig::{folder, settings, start};

/// A file that is none of the servers' business.
fn victim(folder: &TempDir) -> PathBuf {
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    victim
}

fn assert_untouched(victim: &Path, owner: u32) {
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    assert_eq!(fs::metadata(victim).unwrap().uid(), owner);
}

fn assert_refused(refused: &EmbeddedError, name: &str) {
    let said = refused.to_string();
    assert!(matches!(refused, EmbeddedError::Link { .. }), "{said}");
    assert!(said.contains(name) && said.contains("is a link"), "{said}");
}

/// A server that has run here once, and is stopped.
async fn used(folder: &TempDir) -> PathBuf {
    let server = start(folder).await;
    let place = server.data_directory().parent().unwrap().to_owned();
    server.stop().await.unwrap();
    place
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_refused() {
    let folder = folder();
    let victim = victim(&folder);
    let owner = fs::metadata(&victim).unwrap().uid();
    let place = used(&folder).await;
    for name in ["lock", "startup.log"] {
        fs::remove_file(place.join(name)).unwrap();
        symlink(&victim, place.join(name)).unwrap();
        let refused = Postgres::start(settings(&folder)).await.unwrap_err();
        assert_refused(&refused, name);
        assert_untouched(&victim, owner);
        fs::remove_file(place.join(name)).unwrap();
    }
    start(&folder).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_link_in_the_place_of_a_folder_is_refused() {
    let folder = folder();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let before = fs::metadata(&elsewhere).unwrap();
    let place = used(&folder).await;
    for name in ["log", "socket", "data"] {
        fs::rename(place.join(name), folder.path().join(name)).unwrap();
        symlink(&elsewhere, place.join(name)).unwrap();
        let refused = Postgres::start(settings(&folder)).await.unwrap_err();
        assert_refused(&refused, name);
        let after = fs::metadata(&elsewhere).unwrap();
        assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        fs::remove_file(place.join(name)).unwrap();
        fs::rename(folder.path().join(name), place.join(name)).unwrap();
    }
    start(&folder).await.stop().await.unwrap();
}

/// The lock file is changed only when its process id is that of a living process that is no server of ours.
#[tokio::test]
async fn a_link_beside_the_lock_file_of_the_data_is_refused() {
    let folder = folder();
    let victim = victim(&folder);
    let owner = fs::metadata(&victim).unwrap().uid();
    let data = used(&folder).await.join("data");
    let account = fs::metadata(&data).unwrap().uid();
    let stale = format!("{}\n", std::process::id());
    let lock_file = data.join("postmaster.pid");
    fs::write(&lock_file, &stale).unwrap();
    std::os::unix::fs::chown(&lock_file, Some(account), None).unwrap();
    let new = data.join("postmaster.pid.new");
    symlink(&victim, &new).unwrap();
    let refused = Postgres::start(settings(&folder)).await.unwrap_err();
    assert_refused(&refused, "postmaster.pid.new");
    assert_untouched(&victim, owner);
    assert_eq!(fs::read_to_string(&lock_file).unwrap(), stale);

    // What an earlier run left there is no obstacle.
    fs::remove_file(&new).unwrap();
    File::create(&new).unwrap();
    start(&folder).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_link_in_the_place_of_the_bouncers_files_is_refused() {
    let folder = folder();
    let victim = victim(&folder);
    let owner = fs::metadata(&victim).unwrap().uid();
    let postgres = start(&folder).await;
    let settings = || PgBouncerSettings::new(folder.path().join("pgbouncer"), 2);
    let bouncer = PgBouncer::start(&postgres, settings()).await.unwrap();
    bouncer.stop().await.unwrap();
    for name in ["pgbouncer.ini", "users.txt", "startup.log"] {
        let path = folder.path().join("pgbouncer").join(name);
        fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        let refused = PgBouncer::start(&postgres, settings()).await.unwrap_err();
        assert_refused(&refused, name);
        assert_untouched(&victim, owner);
        fs::remove_file(&path).unwrap();
    }
    postgres.stop().await.unwrap();
}

/// Anyone's link would let its owner choose which folder root gives away; our own may lead to another disk.
#[tokio::test]
async fn the_wanted_folder_may_be_a_link_of_ours_but_not_of_another_account() {
    let folder = folder();
    let real = folder.path().join("real");
    fs::create_dir(&real).unwrap();
    let link = folder.path().join("postgres");
    symlink(&real, &link).unwrap();
    start(&folder).await.stop().await.unwrap();
    assert!(real.join("data").exists());
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::lchown(&link, Some(4321), None).unwrap();
        let refused = Postgres::start(settings(&folder)).await.unwrap_err();
        assert_refused(&refused, "postgres");
    }
}
