//! Writing a sheet, row by row.

use super::{TAG, guard::guard};
use crate::device::view::DeviceView;
use csv::{Terminator, WriterBuilder};
use domain::device::Device;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io,
};

/// A device as a sheet shows it, read from how JSON shows it, so that both are the same.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    id: String,
    name: String,
    enabled: bool,
    offline_after: String,
    metadata: Map<String, Value>,
    tags: BTreeMap<String, String>,
    status: String,
    last_seen_at: Option<String>,
    created_at: String,
}

impl TryFrom<Device> for Row {
    type Error = serde_json::Error;

    fn try_from(device: Device) -> Result<Self, Self::Error> {
        serde_json::from_value(serde_json::to_value(DeviceView::from(device))?)
    }
}

/// Which tags have a column of their own.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    tags: Vec<String>,
}

impl Columns {
    /// Most columns of tags, so that devices which all have others make no sheet of nothing but commas.
    pub(crate) const MOST: usize = 100;

    /// A column for each of these, in this order, as far as they may be.
    pub(crate) fn new(tags: impl IntoIterator<Item = String>) -> Self {
        Self {
            tags: tags.into_iter().take(Self::MOST).collect(),
        }
    }

    /// A column for each tag that there is.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let tags: BTreeSet<_> = rows.flat_map(|row| row.tags.keys().cloned()).collect();
        Self::new(tags)
    }

    /// What the columns are called.
    pub(crate) fn head(&self) -> Vec<String> {
        let before = ["id", "name", "enabled", "offline_after", "metadata", "tags"];
        let tags = self.tags.iter().map(|key| format!("{TAG}{key}"));
        let after = ["status", "last_seen_at", "created_at"].map(str::to_owned);
        let before = before.map(str::to_owned).into_iter();
        before.chain(tags).chain(after).collect()
    }

    /// The cells of a device.
    pub(crate) fn cells(&self, mut row: Row) -> Vec<String> {
        let tags: Vec<_> = self
            .tags
            .iter()
            .map(|key| row.tags.remove(key).unwrap_or_default())
            .collect();
        let object = |text: String, is_empty| if is_empty { String::new() } else { text };
        let others: Map<_, _> = row.tags.into_iter().map(|(k, v)| (k, v.into())).collect();
        let (no_others, no_metadata) = (others.is_empty(), row.metadata.is_empty());
        let before = [
            row.id,
            row.name,
            row.enabled.to_string(),
            row.offline_after,
            object(Value::Object(row.metadata).to_string(), no_metadata),
            object(Value::Object(others).to_string(), no_others),
        ];
        let after = [
            row.status,
            row.last_seen_at.unwrap_or_default(),
            row.created_at,
        ];
        before.into_iter().chain(tags).chain(after).collect()
    }
}

/// Writes rows into memory.
pub(crate) struct Writer(csv::Writer<Vec<u8>>);

impl Default for Writer {
    fn default() -> Self {
        let mut builder = WriterBuilder::new();
        builder.terminator(Terminator::CRLF);
        Self(builder.from_writer(Vec::new()))
    }
}

impl Writer {
    /// Writes a row. What a spreadsheet would take for a formula is guarded.
    pub(crate) fn row(&mut self, cells: &[String]) -> io::Result<()> {
        let cells = cells.iter().map(|cell| guard(cell));
        let cells = cells.map(Cow::into_owned);
        self.0.write_record(cells).map_err(io::Error::from)
    }

    /// Everything that was written.
    pub(crate) fn into_bytes(self) -> io::Result<Vec<u8>> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
