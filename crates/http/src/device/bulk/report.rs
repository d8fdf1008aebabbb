//! What became of each device of a request, as JSON and as a sheet.

use crate::{
    device::{
        sheet::{Columns, MEDIA_TYPE, Row, Writer},
        view::DeviceView,
    },
    idempotency::mark_replayed,
    problem::{FieldError, Problem, ProblemKind},
    view::secret,
};
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, HeaderValue, VARY},
    },
};
use domain::device::{Device, DeviceKey};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::error::Error;

/// For the document: a report as a sheet.
pub(super) const EXAMPLE: &str = "index,outcome,device_key,id,name,enabled,offline_after,metadata,tags,tag:site,status,last_seen_at,created_at,errors\r\n\
    0,created,rdk_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9,0192f0a1-7c1e-7b7a-9f0e-3b8a52a1c9d4,Boiler,true,5m,,,north,offline,,2026-01-31T12:00:00Z,\r\n\
    1,rejected,,,,,,,,,,,,\"name must have 1 to 100 characters, and no control characters\"\r\n";

/// Whether a device was provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProvisioningOutcome)]
pub(super) enum OutcomeView {
    /// It is there.
    Created,
    /// It is not, and the others are none the worse.
    Rejected,
}

/// What became of a device.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ProvisionedItem)]
pub(super) struct ItemView {
    /// Its place in the request, from 0.
    #[schema(minimum = 0, example = 0)]
    index: usize,
    outcome: OutcomeView,
    /// The device, where it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeviceView>, nullable = false)]
    device: Option<Box<RawValue>>,
    /// What the device authenticates with, where it was created. It is shown here once and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "rdk_7Qk4bJ0vZ5mW8xY1cT3nL6pR9sD2fG4hK7jM0qB5uVaXeIo2dPiSw9"
    )]
    device_key: Option<String>,
    /// Why it was rejected: pointers begin at the device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

impl ItemView {
    pub(super) fn created(
        index: usize,
        device: &Device,
        key: &DeviceKey,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            index,
            outcome: OutcomeView::Created,
            device: Some(to_raw_value(&DeviceView::from(device.clone()))?),
            device_key: Some(key.reveal().to_owned()),
            errors: Vec::new(),
        })
    }

    pub(super) fn rejected(index: usize, error: FieldError) -> Self {
        Self {
            index,
            outcome: OutcomeView::Rejected,
            device: None,
            device_key: None,
            errors: vec![error],
        }
    }
}

/// What became of all devices of a request.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ProvisioningReport)]
pub(super) struct ReportView {
    /// How many were created.
    #[schema(minimum = 0, example = 1)]
    created: usize,
    /// How many were rejected.
    #[schema(minimum = 0, example = 0)]
    rejected: usize,
    /// Each of them, in the order of the request.
    items: Vec<ItemView>,
}

/// What has become of devices so far.
#[derive(Default)]
pub(super) struct Report {
    pub(super) items: Vec<ItemView>,
    /// Whether some of it was kept from before, and whether some was done now.
    kept: bool,
    done: bool,
}

impl Report {
    /// Adds what was done now.
    pub(super) fn add(&mut self, items: Vec<ItemView>) {
        let is_created = |it: &ItemView| it.outcome == OutcomeView::Created;
        self.done |= items.iter().any(is_created);
        self.items.extend(items);
    }

    /// Adds what was done before.
    pub(super) fn add_kept(&mut self, items: Vec<ItemView>) {
        self.kept = true;
        self.items.extend(items);
    }

    /// How many devices were created.
    pub(super) fn created(&self) -> usize {
        let created = |it: &&ItemView| it.outcome == OutcomeView::Created;
        self.items.iter().filter(created).count()
    }

    /// The answer as JSON.
    pub(super) fn json(self) -> HttpResponse {
        let replayed = self.kept && !self.done;
        let created = self.created();
        let report = ReportView {
            created,
            rejected: self.items.len() - created,
            items: self.items,
        };
        finish(secret(StatusCode::OK, &report), replayed)
    }

    /// The answer as a sheet.
    pub(super) fn csv(self) -> Result<HttpResponse, Problem> {
        let replayed = self.kept && !self.done;
        let sheet = sheet(self.items);
        let sheet = sheet.map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
        let name = "attachment; filename=\"provisioned.csv\"";
        let response = HttpResponse::Ok()
            .content_type(MEDIA_TYPE)
            .insert_header((CONTENT_DISPOSITION, name))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(sheet);
        Ok(finish(response, replayed))
    }
}

fn finish(mut response: HttpResponse, replayed: bool) -> HttpResponse {
    let accept = HeaderValue::from_static("Accept");
    response.headers_mut().insert(VARY, accept);
    if replayed {
        mark_replayed(&mut response);
    }
    response
}

/// A row for each device, in the order of the request, also for those that were rejected.
fn sheet(items: Vec<ItemView>) -> Result<Vec<u8>, SheetError> {
    let row = |it: &ItemView| it.device.as_ref().map(|it| serde_json::from_str(it.get()));
    let rows = items.iter().map(|item| row(item).transpose());
    let rows: Vec<Option<Row>> = rows.collect::<Result<_, _>>()?;
    let columns = Columns::of(rows.iter().flatten());
    let head = columns.head();
    let mut writer = Writer::default();
    let words = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    writer.row(
        &[
            words(&["index", "outcome", "device_key"]),
            head.clone(),
            words(&["errors"]),
        ]
        .concat(),
    )?;
    for (item, row) in items.into_iter().zip(rows) {
        let outcome = match item.outcome {
            OutcomeView::Created => "created",
            OutcomeView::Rejected => "rejected",
        };
        let before = vec![
            item.index.to_string(),
            outcome.to_owned(),
            item.device_key.unwrap_or_default(),
        ];
        let cells = row.map_or_else(|| vec![String::new(); head.len()], |row| columns.cells(row));
        let errors: Vec<_> = item.errors.iter().map(FieldError::blame).collect();
        writer.row(&[before, cells, vec![errors.join("; ")]].concat())?;
    }
    Ok(writer.into_bytes()?)
}

/// Cannot be for want of anything but memory.
#[derive(Debug, thiserror::Error)]
#[error("a report could not be written: {0}")]
struct SheetError(Box<dyn Error + Send + Sync>);

impl From<serde_json::Error> for SheetError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}

impl From<std::io::Error> for SheetError {
    fn from(error: std::io::Error) -> Self {
        Self(error.into())
    }
}
