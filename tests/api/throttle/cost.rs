//! What a flood of sign-ins costs.

use futures_util::future::join_all;

use crate::support::{App, PASSWORD, ago, fresh_email, reading_at};

use super::{WRONG, sign_in};

/// MiB that a flood may add: the few hashes at once of 19 MiB each that `PASSWORD_THREADS` allows, and as
/// much again for 500 connections. All at once would take 9,500.
const ROOM: u64 = 128;

#[tokio::test]
async fn five_hundred_sign_ins_at_once_take_bounded_memory_and_readings_come_in_beside_them() {
    let app = App::start_with(&[("RATE_LIMITS", "off".to_owned())]).await;
    let user = app.user().await;
    let device = user.device().await.on_one(0);
    let client = app.anonymous().on(0);
    let before = app.servers[0].memory();
    let emails: Vec<_> = (0..500)
        .map(|n| {
            if n % 2 == 0 {
                user.email.clone()
            } else {
                fresh_email()
            }
        })
        .collect();
    let sign_ins = join_all(emails.iter().map(|email| sign_in(&client, email, WRONG)));
    let readings = async {
        for n in 0..50 {
            device.ingest_text(&reading_at(ago(n), n)).await.expect(201);
        }
    };
    let (answers, ()) = tokio::join!(sign_ins, readings);
    let (mut looked_at, mut refused) = (0, 0);
    for answer in answers {
        if answer.status == 401 {
            looked_at += 1;
        } else {
            answer.expect(503);
            refused += 1;
        }
    }
    // Most of those who may wait for their turn, at least.
    assert!(looked_at >= 64, "{looked_at} looked at, {refused} refused");
    let peak = app.servers[0].peak_memory();
    println!("{before} MiB before, {peak} MiB at most; {looked_at} looked at, {refused} refused");
    assert!(
        peak <= before + ROOM,
        "{before} MiB before, {peak} MiB at most"
    );
    // And it is no worse off.
    sign_in(&client, &user.email, PASSWORD).await.expect(200);
}
