//! Each reading exactly once, whichever ways into the database its copies take.

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::support::{Answer, App, Client, Device, User, ago, batch, reading_at};

/// Parallel posts of one reading.
const POSTS: i64 = 64;

/// What one post said of the contested reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Created,
    Duplicate,
    Conflict,
}

impl Said {
    /// From the answer to a post that had the contested reading at this place, or alone.
    fn of(answer: &Answer, place: Option<usize>) -> Self {
        let outcome = match (place, answer.status) {
            (Some(place), 200) => answer.body["items"][place]["outcome"].as_str().unwrap(),
            (None, 200 | 201) => answer.body["outcome"].as_str().unwrap(),
            (None, 409) => "conflict",
            (Some(_), 422) => {
                assert_eq!(answer.body["code"], "atomic_refused", "{}", answer.text);
                "conflict"
            }
            _ => panic!("{}: {}", answer.status, answer.text),
        };
        match outcome {
            "created" => Self::Created,
            "duplicate" => Self::Duplicate,
            "conflict" => Self::Conflict,
            other => panic!("{other}"),
        }
    }
}

/// Posts the contested reading, alone or among others, by a way that depends on the number of the post.
async fn post(client: &Client, round: i64, n: i64, contested: &str) -> Said {
    let count = match n % 8 {
        0..=3 => None,
        4 => Some(20),
        5 | 6 => Some(300),
        _ => Some(40),
    };
    let Some(count) = count else {
        let answer = client.post_text("/readings", contested).await;
        return Said::of(&answer, None);
    };
    // Companions of its own, around the contested time and all over the span of the series.
    let own = |k: i64| {
        let at =
            ago(9_000) + TimeDelta::seconds(k * 3) + TimeDelta::milliseconds(round * 64 + n + 1);
        reading_at(at, k)
    };
    let mut readings: Vec<_> = (0..count).map(own).collect();
    let place = usize::try_from(n * 7 % count).unwrap();
    readings.insert(place, contested.to_owned());
    let atomic = if n % 8 == 7 { "&atomic=true" } else { "" };
    let path = format!("/readings?receipt=full{atomic}");
    let answer = client.post_text(&path, &batch(readings)).await;
    let said = Said::of(&answer, Some(place));
    if answer.status == 200 {
        let accepted = count + i64::from(said == Said::Created);
        assert_eq!(answer.body["accepted"], accepted, "{}", answer.text);
    }
    said
}

async fn known(app: &App, armed: bool) -> (User, Device) {
    let user = app.user().await;
    let device = user.device().await;
    if armed {
        user.rule(&device, "gt", 1_000_000).await;
    }
    (user, device)
}

fn off() -> [(&'static str, String); 1] {
    [("RATE_LIMITS", "off".to_owned())]
}

#[tokio::test]
async fn of_64_posts_by_all_ways_exactly_one_creates_the_reading() {
    let app = App::start_with(&off()).await;
    let sql = app.sql().await;
    for armed in [false, true] {
        let (_, device) = known(&app, armed).await;
        // In the first round everything is new, also the device and its series.
        for round in 0..4 {
            let at = ago(9_000) + TimeDelta::seconds(round * 61);
            let contested = reading_at(at, "21.50");
            let posts = (0..POSTS).map(|n| post(&device, round, n, &contested));
            let said = join_all(posts).await;
            let created = said.iter().filter(|it| **it == Said::Created).count();
            assert_eq!(created, 1, "{said:?}");
            assert!(!said.contains(&Said::Conflict), "{said:?}");
        }
    }
    let stored = "select count(*) from samples where value = 21.50";
    assert_eq!(sql.one(stored).await, "8");
}

#[tokio::test]
async fn of_64_values_by_all_ways_one_is_created_and_stays() {
    let app = App::start_with(&off()).await;
    let sql = app.sql().await;
    for armed in [false, true] {
        let (_, device) = known(&app, armed).await;
        for round in 0..4 {
            let at = ago(9_000) + TimeDelta::seconds(round * 61);
            let value = |n| 1_000 * (round + 1) + n;
            let contested: Vec<_> = (0..POSTS).map(|n| reading_at(at, value(n))).collect();
            let posts = (0..)
                .zip(&contested)
                .map(|(n, it)| post(&device, round, n, it));
            let said = join_all(posts).await;
            let created = said.iter().filter(|it| **it == Said::Created).count();
            assert_eq!(created, 1, "{said:?}");
            assert!(!said.contains(&Said::Duplicate), "{said:?}");
            let winner = said.iter().position(|it| *it == Said::Created).unwrap();
            let stored = format!(
                "select value::text from samples join series on series.id = series_id
                 where device_id = '{}' and recorded_at = '{}'",
                device.id,
                at.to_rfc3339()
            );
            let expected = value(i64::try_from(winner).unwrap()).to_string();
            assert_eq!(sql.one(&stored).await, expected);
            let again = post(&device, round, 0, &contested[winner]).await;
            assert_eq!(again, Said::Duplicate);
        }
    }
}

#[tokio::test]
async fn a_reading_that_is_twice_in_a_batch_is_stored_by_its_first_value() {
    let app = App::start_with(&off()).await;
    let (_, device) = known(&app, false).await;
    // By each way: few, more than few, COPY, and more than a group.
    for (round, others) in (0..).zip([0_i64, 40, 400, 9_990]) {
        let at = ago(60) + TimeDelta::milliseconds(round);
        let other = |n: i64| reading_at(ago(20_000 + n) + TimeDelta::milliseconds(round), n);
        let mut readings = vec![reading_at(at, 1)];
        readings.extend((0..others).map(other));
        readings.extend([reading_at(at, 2), reading_at(at, "1.0"), reading_at(at, 3)]);
        for (created, first) in [(1, "created"), (0, "duplicate")] {
            let path = "/readings?receipt=full";
            let answer = device.post_text(path, &batch(readings.clone())).await;
            let answer = answer.expect(200);
            assert_eq!(answer.body["accepted"], created * (others + 1));
            let items = answer.body["items"].as_array().unwrap();
            let tail = items.len() - 3;
            let outcomes = [0, tail, tail + 1, tail + 2].map(|n| &items[n]["outcome"]);
            assert_eq!(
                outcomes,
                [first, "conflict", "duplicate", "conflict"],
                "{others}"
            );
        }
    }
    let stored = "select value::text from samples order by recorded_at desc limit 4";
    assert_eq!(app.sql().await.column(stored).await, vec!["1"; 4]);
}
