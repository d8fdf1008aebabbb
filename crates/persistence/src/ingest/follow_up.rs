//! Step 4: what follows from stored readings.

use super::{
    group::Group,
    judge::{self, Remembered},
    lock::{self, Locked},
    watch::Learned,
};
use crate::{StoreError, Tx};
use chrono::TimeDelta;
use domain::{Timestamp, reading::Outcome};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Alerts, and that their devices were seen. Answers what may be remembered of
/// rules.
pub(super) async fn follow_up(
    tx: &Tx,
    group: &Group,
    (locked, remembered): (&Locked, &Remembered),
    outcomes: &mut [Outcome],
    (now, lateness): (Timestamp, TimeDelta),
) -> Result<HashMap<Uuid, Learned>, StoreError> {
    let learned = if locked.armed.is_empty() {
        HashMap::new()
    } else {
        let known = (locked, remembered);
        judge::judge(tx, group, known, outcomes, (now, lateness)).await?
    };
    // A request without a valid reading is no sign of life.
    let heard: HashSet<Uuid> = group.series.values().map(|series| series.device).collect();
    let heard_of = |devices: &[Uuid]| -> Vec<Uuid> {
        let heard = devices.iter().filter(|device| heard.contains(device));
        heard.copied().collect()
    };
    let (due, woken) = (heard_of(&locked.due), heard_of(&locked.woken));
    if !woken.is_empty() {
        tx.at_commit(lock::wake(&woken, now)).await;
    }
    if !due.is_empty() {
        tx.at_commit(lock::touch(&due, now)).await;
    }
    Ok(learned)
}
