//! Provisioning the fleet through the API.

use super::{device::Device, options::Options, profile::Gauge};
use crate::{
    api::{Account, Call},
    failure::Failure,
    progress::Progress,
    secret,
    sheet::{Sheet, SheetDevice},
    stop::Stop,
};
use domain::device::{DeviceId, DeviceKey};
use futures_util::{StreamExt, TryStreamExt, stream};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

/// Devices that are provisioned at once.
const AT_ONCE: usize = 8;

/// How often an answer is waited for that another request of the same kind is about to get.
const IN_FLIGHT_TRIES: u32 = 20;
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
struct Provisioned {
    id: DeviceId,
    device_key: String,
}

/// Provisions the devices, tagged with the fleet and their profiles; fewer if someone asks to stop.
pub(super) async fn provision(
    account: &Account,
    options: &Options,
    tag: &str,
    stop: &Stop,
) -> Result<Vec<Device>, Failure> {
    let progress = Progress::count("Provisioning", options.devices.into());
    let devices: Result<Vec<_>, _> = stream::iter(0..options.devices)
        .take_while(|_| std::future::ready(!stop.is_asked()))
        .map(|number| {
            let progress = progress.clone();
            async move {
                let device = one(account, options, tag, number).await;
                progress.add(1);
                device
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await;
    progress.end();
    let devices = devices?;
    if let Some(path) = &options.sheet {
        let row = |device: &Device| SheetDevice {
            id: Some(device.id),
            name: device.name.clone(),
            key: device.key.clone(),
        };
        Sheet::write(path, &devices.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(devices)
}

async fn one(
    account: &Account,
    options: &Options,
    tag: &str,
    number: u32,
) -> Result<Device, Failure> {
    let profile = options.profile(number);
    let name = format!("{} {}", profile.name(), number + 1);
    let body = json!({
        "name": name,
        "tags": {"fleet": tag, "profile": profile.name()},
        "metadata": {"simulated": true, "seed": options.seed, "number": number},
    });
    // With it a lost answer does not leave a device behind whose key nobody has.
    let call = Call::post("/devices", &body)?.with("idempotency-key", secret::random(16)?);
    let mut answer = account.ask(&call).await?;
    for _ in 0..IN_FLIGHT_TRIES {
        if answer.status != StatusCode::CONFLICT {
            break;
        }
        sleep(IN_FLIGHT_PAUSE).await;
        answer = account.ask(&call).await?;
    }
    let provisioned: Provisioned = account.parse(&call, &answer)?;
    let key = DeviceKey::parse(&provisioned.device_key)
        .map_err(|error| Failure::other(format!("the key of the new device {error}")))?;
    let gauge = Gauge::new(profile, options.seed, number);
    Ok(Device::new(number, provisioned.id, name, key, gauge))
}
