//! Provisioning many devices at once, from JSON or from a sheet.

mod body;
mod report;

use super::sheet::{EXAMPLE_IN, FORMS, Form};
use crate::{
    accept::wanted,
    auth::{DevicesWrite, Scoped},
    idempotency::{IdempotencyHeader, Idempotent, Vault},
    problem::{AcceptProblem, FieldError, OnceProblems, Problem, ProblemKind, ServerProblems},
    state::{AppState, random_bits},
};
use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use body::{NewDevices, NewDevicesView};
use domain::{
    Timestamp,
    device::{Device, DeviceKey, NewDevice},
};
use persistence::{
    StoreError, device as store,
    idempotency::{KeepError, Once, Outcome},
    session::OwnerId,
};
use report::{ItemView, Report, ReportView};

/// Devices that are provisioned in one transaction, so that progress is seen, and nobody waits long for a lock.
const CHUNK: usize = 100;

/// Provision many devices
///
/// Up to 1,000, as JSON or as a sheet (`text/csv`, RFC 4180). Each is provisioned or rejected on its own, and named by
/// its index from 0. The answer is JSON or, as the `Accept` header says, a sheet with a row and a key for each.
///
/// They are provisioned a hundred at a time, and those are seen at once. With an `Idempotency-Key`, whoever is
/// interrupted sends the same again: what was done is answered, and the rest is done.
#[utoipa::path(
    tag = "devices",
    params(IdempotencyHeader),
    request_body(description = "Devices, in one of two formats", content(
        (NewDevicesView = "application/json"),
        (String = "text/csv", example = json!(EXAMPLE_IN)),
    )),
    responses(
        (status = OK, description = "What became of each device", content(
            (ReportView = "application/json"),
            (String = "text/csv", example = json!(report::EXAMPLE)),
        )),
        Scoped<DevicesWrite>, AcceptProblem, OnceProblems, ServerProblems,
    )
)]
#[post("/devices/bulk")]
pub(super) async fn device_create_bulk(
    user: Scoped<DevicesWrite>,
    request: HttpRequest,
    state: Data<AppState>,
    new: Idempotent<NewDevices>,
) -> Result<HttpResponse, Problem> {
    let form = wanted(request.headers(), &FORMS)?;
    let vault = Vault::new(&state, user.owner, new.claim.as_ref());
    let report = provision(&state, user.owner, &new.body.0, &vault).await?;
    match form {
        Form::Json => Ok(report.json()),
        Form::Csv => report.csv(),
    }
}

/// Provisions a chunk after the other.
async fn provision(
    state: &AppState,
    owner: OwnerId,
    all: &[Item],
    vault: &Vault<'_>,
) -> Result<Report, Problem> {
    let now = state.clock.now();
    let (mut report, mut since) = (Report::default(), now);
    for (number, items) in (0_u32..).zip(all.chunks(CHUNK)) {
        let chunk = Chunk::new(report.items.len(), items)?;
        let vault = vault.part(number);
        match chunk.store((state, owner), &vault, (since, now)).await {
            Ok(Outcome::Done(devices)) => report.add(chunk.items(&devices).map_err(internal)?),
            Ok(Outcome::Kept(kept)) => {
                since = since.min(kept.since);
                let items = serde_json::from_slice(&vault.open(&kept)?);
                report.add_kept(items.map_err(internal)?);
            }
            Ok(Outcome::InFlight) => return Err(Problem::new(ProblemKind::IdempotencyInFlight)),
            Ok(Outcome::Mismatch) => return Err(Problem::new(ProblemKind::IdempotencyMismatch)),
            // Without a key nobody could ask for the keys of those that are there.
            Err(error) if vault.attempt.is_none() && report.created() > 0 => {
                return Ok(give_up(report, all.len(), &error.into()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(report)
}

/// Rejects all devices that are left, for a reason that is not theirs.
fn give_up(mut report: Report, count: usize, problem: &Problem) -> Report {
    crate::observe::log_cause(problem);
    let detail = "was not done, or nobody knows whether it was: look for the device before you send it again, or \
                  send an Idempotency-Key the next time";
    let error = FieldError::at_pointer(String::new(), "not_done", detail.to_owned());
    let left = report.items.len()..count;
    report.add(
        left.map(|index| ItemView::rejected(index, error.clone()))
            .collect(),
    );
    report
}

/// A device to provision, or why it cannot be.
type Item = Result<NewDevice, FieldError>;

/// Devices that are provisioned together, each with its key.
struct Chunk<'a> {
    /// The index of the first one.
    first: usize,
    items: Vec<Result<(&'a NewDevice, DeviceKey), &'a FieldError>>,
}

impl<'a> Chunk<'a> {
    fn new(first: usize, items: &'a [Item]) -> Result<Self, Problem> {
        let with_key = |item: &'a Item| match item {
            Ok(new) => Ok(Ok((new, DeviceKey::new(random_bits()?)))),
            Err(error) => Ok(Err(error)),
        };
        let items = items.iter().map(with_key).collect::<Result<_, Problem>>()?;
        Ok(Self { first, items })
    }

    /// Provisions those that can be, once if the request has a key.
    async fn store(
        &self,
        (state, owner): (&AppState, OwnerId),
        vault: &Vault<'_>,
        (since, now): (Timestamp, Timestamp),
    ) -> Result<Outcome<Vec<Device>>, StoreError> {
        let valid = self.items.iter().flatten();
        let valid: Vec<_> = valid.map(|(new, key)| (*new, key)).collect();
        if valid.is_empty() {
            return Ok(Outcome::Done(Vec::new()));
        }
        let keep = |devices: &Vec<Device>| -> Result<Vec<u8>, KeepError> {
            vault.seal(&serde_json::to_vec(&self.items(devices)?)?)
        };
        let once = Once {
            attempt: vault.attempt,
            keep: &keep,
            since: Some(since),
        };
        store::insert_many(&state.db, owner, &valid, &once, now).await
    }

    /// What became of each, where these are the devices that were provisioned, in the same order.
    fn items(&self, devices: &[Device]) -> Result<Vec<ItemView>, serde_json::Error> {
        let mut devices = devices.iter();
        let item = |(index, item): (usize, &Result<(_, DeviceKey), &FieldError>)| match item {
            Ok((_, key)) => devices
                .next()
                .map(|device| ItemView::created(index, device, key))
                .transpose(),
            Err(error) => Ok(Some(ItemView::rejected(index, (*error).clone()))),
        };
        let items = (self.first..).zip(&self.items).map(item);
        items.filter_map(Result::transpose).collect()
    }
}

fn internal(error: serde_json::Error) -> Problem {
    Problem::new(ProblemKind::Internal).because(error)
}
