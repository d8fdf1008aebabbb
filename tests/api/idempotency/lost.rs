//! Answers, connections and servers that are lost half way.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{count_devices, fresh_key, keyed, parallel::insist};
use crate::support::{App, Client, Device, Proxy, Random, Server, User, ago, reading_at};

/// Sends a request, byte by byte right, and hangs up.
async fn send_and_hang_up(server: &Server, user: &User, key: &str, body: &Value) {
    let address = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (token, body) = (&user.access_token, body.to_string());
    let request = format!(
        "POST /api/v1/devices HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_lost_the_answer_gets_the_same_key() {
    let app = App::start().await;
    let user = app.user().await;
    let mut random = Random(7);
    for round in 0..10 {
        let (key, body) = (fresh_key(), json!({"name": format!("Boiler {round}")}));
        send_and_hang_up(&app.servers[0], &user, &key, &body).await;
        let wait = random.below(8).unsigned_abs();
        sleep(Duration::from_millis(wait)).await;
        let client = keyed(&user.on(1), &key);
        let made = insist(&client, "/devices", &body, 201).await;
        let device = Device::provisioned(&user, &made);
        device.ingest_text(&reading_at(ago(9), 1)).await.expect(201);
    }
    assert_eq!(count_devices(&user).await, 10);
}

#[tokio::test]
async fn a_connection_to_the_database_that_is_cut_at_any_moment_makes_no_second_device() {
    let proxy = Proxy::start().await;
    let app = App::start_behind(&proxy).await;
    let user = app.user().await;
    let mut random = Random(11);
    let mut made = BTreeSet::new();
    for round in 0..25 {
        let body = json!({"name": format!("Boiler {round}"), "tags": {"site": "north"}});
        let client = keyed(&user, &fresh_key());
        let wait = Duration::from_micros(random.below(12_000).unsigned_abs());
        let cut = async {
            sleep(wait).await;
            proxy.cut();
            sleep(Duration::from_millis(30)).await;
            proxy.open();
        };
        let (answer, ()) = tokio::join!(insist(&client, "/devices", &body, 201), cut);
        let device = Device::provisioned(&user, &answer);
        let reading = reading_at(ago(9), 1);
        // What was cut may be found out only now.
        while device.ingest_text(&reading).await.status == 503 {
            sleep(Duration::from_millis(50)).await;
        }
        made.insert(device.id);
    }
    assert_eq!(made.len(), 25);
    let stored = app.sql().await.column("select id from devices").await;
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), made);
}

/// A request at a server that is killed meanwhile; most are lost.
async fn at_a_server_that_dies(
    app: &App,
    user: &User,
    key: &str,
    ask: (&str, &Value),
    after: Duration,
) {
    let server = Server::start(&App::settings(&app.database)).await;
    let client = Client::anonymous([server.url().to_owned()].into()).with_token(&user.access_token);
    let body = Some(("application/json", ask.1.to_string().into_bytes()));
    let client = keyed(&client, key);
    let request = client.try_ask(reqwest::Method::POST, ask.0, body);
    let kill = async {
        sleep(after).await;
        server.signal(Signal::SIGKILL);
    };
    let _ = tokio::join!(request, kill);
}

#[tokio::test]
async fn a_server_that_is_killed_at_any_moment_makes_no_second_device() {
    let app = App::start().await;
    let user = app.user().await;
    let rounds = (0..12).map(async |round: u64| {
        let (key, body) = (fresh_key(), json!({"name": format!("Boiler {round}")}));
        let after = Duration::from_millis(round * 2);
        at_a_server_that_dies(&app, &user, &key, ("/devices", &body), after).await;
        insist(&keyed(&user, &key), "/devices", &body, 201).await
    });
    let mut made = BTreeSet::new();
    for round in rounds {
        made.insert(round.await.text_at("/id").to_owned());
    }
    let stored = app.sql().await.column("select id from devices").await;
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), made);
    assert_eq!(made.len(), 12);
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_of_a_sheet_makes_no_device_twice() {
    let app = App::start().await;
    let user = app.user().await;
    let devices: Vec<_> = (0..1_000)
        .map(|n| json!({"name": format!("d{n}")}))
        .collect();
    let body = json!({"devices": devices});
    for round in 0..4_u64 {
        let key = fresh_key();
        let before = count_devices(&user).await;
        let after = Duration::from_millis(60 + 60 * round);
        at_a_server_that_dies(&app, &user, &key, ("/devices/bulk", &body), after).await;
        // What is under way commits or not, before anyone else may go on.
        let left = count_devices(&user).await - before;
        assert_eq!(left % 100, 0, "{left}");
        println!("{left} were left");
        let client = keyed(&user, &key);
        let answers = join_all((0..2).map(|_| insist(&client, "/devices/bulk", &body, 200))).await;
        assert_eq!(answers[0].text, answers[1].text);
        assert_eq!(answers[0].body["created"], 1_000);
        assert_eq!(count_devices(&user).await, before + 1_000);
    }
}
