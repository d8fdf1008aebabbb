//! Whether what is stored is what was acknowledged.

use super::{device::Device, ledger::Ledger};
use crate::{
    api::{Account, Next, Opened},
    backoff::Backoff,
    failure::Failure,
    progress::{Progress, grouped},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

/// Devices that are looked at at once.
const AT_ONCE: usize = 4;

/// How often a stream is begun anew that was broken off.
const TRIES: u32 = 10;

/// Compares each device; answers how many readings are stored, and a sentence for each device that differs.
pub(super) async fn compare(
    account: &Account,
    fleet: &[Device],
) -> Result<(u64, Vec<String>), Failure> {
    let progress = Progress::count("Verifying", u64::try_from(fleet.len()).unwrap_or_default());
    let stored: Vec<Ledger> = stream::iter(fleet)
        .map(|device| {
            let progress = progress.clone();
            async move {
                let ledger = stored(account, device).await;
                progress.add(1);
                ledger
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    progress.end();
    let differ = fleet
        .iter()
        .zip(&stored)
        .filter(|(device, stored)| device.ledger != **stored);
    let sentences = differ.map(|(device, stored)| {
        let (stored, sent) = (grouped(stored.count), grouped(device.ledger.count));
        format!(
            "{}: {stored} stored, {sent} acknowledged, and not the same",
            device.name
        )
    });
    Ok((stored.iter().map(|it| it.count).sum(), sentences.collect()))
}

async fn stored(account: &Account, device: &Device) -> Result<Ledger, Failure> {
    let path = format!("/devices/{}/readings", device.id);
    let mut backoff = Backoff::of(device.number.into());
    for _ in 0..TRIES {
        let retry_after = match account.stream(&path).await? {
            Opened::Later(after) => after,
            Opened::Lines(mut lines) => {
                let mut ledger = Ledger::default();
                let mut is_header = true;
                loop {
                    match lines.next().await? {
                        Next::Lines(text) => {
                            let text = String::from_utf8_lossy(&text);
                            for line in text.lines() {
                                if !std::mem::take(&mut is_header) && !ledger.read(line) {
                                    return Err(Failure::other(format!("no reading: {line}")));
                                }
                            }
                        }
                        Next::End => return Ok(ledger),
                        Next::Cut => break None,
                    }
                }
            }
        };
        sleep(backoff.failed(retry_after)).await;
    }
    Err(Failure::other(format!(
        "{} cannot be read back",
        device.name
    )))
}
