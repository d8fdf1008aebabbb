//! Kills one process after the other, at moments that nobody knows before.

use crate::random::Random;
use crate::rig::Rig;
use crate::tally::Tally;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Who is killed.
pub(crate) const VICTIMS: [&str; 3] = ["server", "PgBouncer", "PostgreSQL"];

/// How long it may take until something is acknowledged again.
const PATIENCE: Duration = Duration::from_mins(1);

/// Requests that must be acknowledged between two kills, except where the second is to hit a recovery.
const WORK: u64 = 20;

/// Longest random waits in milliseconds: before a kill, and until what was killed is started again.
const BEFORE: u64 = 800;
const DOWN: u64 = 300;

/// One in so many kills does not wait until the one before it is recovered from.
const HASTY: u64 = 4;

/// How long it took from a kill until something new was acknowledged, by [`VICTIMS`].
pub(crate) type Recoveries = [Vec<Duration>; 3];

/// Kills each of them so many times, in random order.
pub(crate) async fn run(
    rig: &mut Rig,
    tally: &Tally,
    random: &mut Random,
    kills: usize,
) -> Recoveries {
    let mut victims: Vec<_> = (0..VICTIMS.len())
        .flat_map(|victim| std::iter::repeat_n(victim, kills))
        .collect();
    random.shuffle(&mut victims);
    let mut recoveries = Recoveries::default();
    progress(tally, WORK).await;
    for (number, victim) in victims.iter().enumerate() {
        sleep(random.milliseconds(BEFORE)).await;
        let killed = Instant::now();
        kill(rig, *victim, random.milliseconds(DOWN)).await;
        if random.below(HASTY) > 0 {
            progress(tally, 1).await;
            recoveries[*victim].push(killed.elapsed());
            progress(tally, WORK).await;
        }
        let (name, count) = (VICTIMS[*victim], victims.len());
        let acknowledged = tally.readings.get();
        eprintln!(
            "{:>3} of {count}: {name:<10}  {acknowledged} readings acknowledged",
            number + 1
        );
    }
    progress(tally, WORK).await;
    recoveries
}

/// Kills one of them, and starts it again after a while.
async fn kill(rig: &mut Rig, victim: usize, down: Duration) {
    match victim {
        0 => {
            rig.kill_server().await;
            sleep(down).await;
            rig.start_server().await;
        }
        1 => {
            rig.kill_pooler().await;
            sleep(down).await;
            rig.start_pooler().await;
        }
        _ => rig.kill_postgres().await,
    }
}

/// Waits until so many more requests are acknowledged.
async fn progress(tally: &Tally, requests: u64) {
    let enough = tally.requests.get() + requests;
    let reached = async {
        while tally.requests.get() < enough {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let reached = timeout(PATIENCE, reached).await;
    reached.expect("nothing is acknowledged any more");
}
