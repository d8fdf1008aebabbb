//! What dashboards ask, against plain SQL over the same samples, and what they and their hours cost ingest.

mod beside;
mod check;
mod data;
mod plain;
mod question;
mod table;
mod upkeep;

use crate::load::{self, End};
use crate::meter::Meter;
use crate::options::Options;
use crate::request::Request;
use crate::rig::Rig;
use data::Data;
use plain::Connections;
use question::Question;
use std::time::Duration;
use table::Table;

/// Devices that all of it needs.
pub(crate) const DEVICES: usize = data::DEVICES + beside::DEVICES + upkeep::DEVICES;

/// How long each question is asked before anything is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// The names of everything that is measured here.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    question::names().chain([beside::NAME, upkeep::NAME])
}

/// Measures what the options ask for, and answers how many readings were acknowledged.
pub(crate) async fn run(rig: &mut Rig, options: &Options) -> u64 {
    let mut acknowledged = 0;
    if names().any(|name| options.wants(name) && name != upkeep::NAME) {
        let data = data::load(rig).await;
        acknowledged += data.readings;
        print_hours(rig).await;
        compare(rig, options, &data).await;
        if options.wants(beside::NAME) {
            acknowledged += beside::run(rig, options, &data).await;
        }
    }
    if options.wants(upkeep::NAME) {
        acknowledged += upkeep::run(rig, options).await;
    }
    acknowledged
}

/// Asks all questions in turns, of both sides, and prints how they compare.
async fn compare(rig: &Rig, options: &Options, data: &Data) {
    let questions = question::chosen(rig, data, |name| options.wants(name)).await;
    let Some(clients) = questions.iter().map(|it| it.clients).max() else {
        return;
    };
    let plain = Connections::open(&rig.direct_url(), clients).await;
    let token = rig.sign_in().await;
    for it in &questions {
        check::check(rig, it, &token).await;
        ask(rig, it, &token, WARM_UP).await;
        plain.run(&it.sql, it.clients, WARM_UP).await;
    }
    let mut table = Table::new(questions.len());
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        // A token lives for 15 minutes, which all rounds together may take.
        let token = rig.sign_in().await;
        let time = Duration::from_secs(options.seconds);
        for (place, it) in questions.iter().enumerate() {
            let [server, ..] = rig.pids();
            let before = Meter::read(rig, server).await;
            let ours = ask(rig, it, &token, time).await;
            let cost = Meter::read(rig, server).await.since(before);
            let theirs = plain.run(&it.sql, it.clients, time).await;
            table.add(place, &ours, &theirs, cost);
        }
    }
    table.print(&questions);
    table.print_costs(&questions);
}

/// Asks Readout over and over, on so many connections.
async fn ask(rig: &Rig, question: &Question, token: &str, time: Duration) -> load::Outcome {
    let known = if question.is_known {
        let answer = rig.get(&question.paths[0], token).await;
        let tag = answer.headers().get("etag").unwrap();
        format!("if-none-match: {}\r\n", tag.to_str().unwrap())
    } else {
        String::new()
    };
    let paths = question.paths.iter();
    let mut requests: Vec<Request> = paths.map(|it| Request::get(it, token, &known)).collect();
    let end = End::After(time);
    tokio::task::block_in_place(|| load::run(rig.address, &mut requests, end))
}

/// Prints how many bytes on disk an hour of a series takes, with its part of the index.
async fn print_hours(rig: &Rig) {
    let rows = rig.number("select count(*) from series_hours").await;
    let size = rig
        .number("select pg_total_relation_size('series_hours')")
        .await;
    #[expect(clippy::cast_precision_loss, reason = "told with three digits")]
    let each = size as f64 / rows as f64;
    println!("\ndisk: {each:.1} bytes for each of {rows} rows of series_hours, index included");
}
