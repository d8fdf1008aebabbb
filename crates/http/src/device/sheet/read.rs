//! Reading a sheet: each row is a device, or says what is wrong with it.

use super::{SHOWN, TAG, TAG_DOTTED, TAKEN, guard::unguard};
use crate::{
    body::{escape, valid},
    problem::{FieldError, Problem},
};
use csv::{ByteRecord, ReaderBuilder};
use domain::device::{NewDevice, TagKey};
use serde_json::{Map, Value};

/// A device to provision, or why it cannot be.
type Item = Result<NewDevice, FieldError>;

/// What a column holds.
#[derive(Debug, PartialEq, Eq)]
enum Column {
    Member(&'static str),
    Tag(String),
    /// Something that only comes out.
    Shown(&'static str),
    /// Nothing, as some programs write them in the end.
    Nameless,
}

/// Reads a sheet of at most so many devices and one, or says which column is to blame. Rows of nothing but empty cells
/// are no devices.
pub(crate) fn read(body: &[u8], most: usize) -> Result<Vec<Item>, Problem> {
    // Excel begins a file with a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // Rows may have fewer cells than there are columns, as some programs leave out empty ones in the end.
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(body);
    let header = reader.byte_headers().map_err(|error| unreadable(&error))?;
    let columns = columns(header)?;
    let rows = reader.byte_records();
    let is_blank = |row: &ByteRecord| row.iter().all(|cell| cell.trim_ascii().is_empty());
    let rows = rows.filter(|row| !row.as_ref().is_ok_and(is_blank));
    rows.take(most + 1)
        .map(|row| Ok(device(&columns, &row.map_err(|error| unreadable(&error))?)))
        .collect()
}

/// What the reader says of a body in memory that is taken byte by byte: nothing, so far.
fn unreadable(error: &csv::Error) -> Problem {
    let detail = format!("cannot be read as CSV: {error}");
    Problem::invalid(FieldError::at_pointer(
        String::new(),
        "invalid_value",
        detail,
    ))
}

fn columns(header: &ByteRecord) -> Result<Vec<Column>, Problem> {
    let mut columns = Vec::with_capacity(header.len());
    for cell in header {
        let name = String::from_utf8_lossy(cell);
        let name = name.trim();
        let blame = |code, detail: &str| {
            let pointer = format!("/{}", escape(name));
            Problem::invalid(FieldError::at_pointer(pointer, code, detail.to_owned()))
        };
        let column = column(name).ok_or_else(|| blame("unknown_column", UNKNOWN))?;
        if column != Column::Nameless && columns.contains(&column) {
            return Err(blame("duplicate_column", "is there twice"));
        }
        columns.push(column);
    }
    if columns.contains(&Column::Member("name")) {
        return Ok(columns);
    }
    let detail = "is missing: the first row must name the columns";
    let pointer = "/name".to_owned();
    Err(Problem::invalid(FieldError::at_pointer(
        pointer,
        "missing_column",
        detail.to_owned(),
    )))
}

const UNKNOWN: &str = "is not a column that is known here: there are name, enabled, offline_after, metadata, tags, \
     and tag:<name> for each tag, with commas between them";

fn column(name: &str) -> Option<Column> {
    if name.is_empty() {
        return Some(Column::Nameless);
    }
    let mut tag = [TAG, TAG_DOTTED].into_iter();
    if let Some(key) = tag.find_map(|it| name.strip_prefix(it)) {
        let key = TagKey::try_from(key.to_owned()).ok()?;
        return Some(Column::Tag(key.into()));
    }
    let find = |all: &[&'static str]| all.iter().copied().find(|it| *it == name);
    let member = find(&TAKEN).map(Column::Member);
    member.or_else(|| find(&SHOWN).map(Column::Shown))
}

/// The device of a row: it is read as JSON is, so that the same is taken and the same is said.
fn device(columns: &[Column], row: &ByteRecord) -> Item {
    let (mut members, mut tags) = (Map::new(), Map::new());
    for (place, cell) in row.iter().enumerate() {
        let cell = cell.trim_ascii();
        if cell.is_empty() {
            continue;
        }
        let column = columns.get(place).unwrap_or(&Column::Nameless);
        let text = std::str::from_utf8(cell).map_err(|_| {
            let detail = "must be in UTF-8".to_owned();
            FieldError::at_pointer(column.pointer(), "invalid_value", detail)
        })?;
        let text = unguard(text.trim());
        match column {
            Column::Member("tags") => add_tags(&mut tags, json(column, text)?)?,
            Column::Member(name @ "metadata") => {
                members.insert((*name).to_owned(), json(column, text)?);
            }
            Column::Member(name @ "enabled") => {
                members.insert((*name).to_owned(), truth(text));
            }
            Column::Member(name) => {
                members.insert((*name).to_owned(), text.into());
            }
            Column::Tag(key) => add_tag(&mut tags, key.clone(), text.into())?,
            Column::Shown(_) => {}
            Column::Nameless => {
                let detail = "has a cell where no column is named".to_owned();
                let error = FieldError::at_pointer(String::new(), "too_many_cells", detail);
                return Err(error);
            }
        }
    }
    members.insert("tags".to_owned(), Value::Object(tags));
    valid(Value::Object(members).to_string().as_bytes())
}

impl Column {
    /// The member of a device that it is, as a JSON pointer.
    fn pointer(&self) -> String {
        match self {
            Self::Member(name) | Self::Shown(name) => format!("/{name}"),
            Self::Tag(key) => format!("/tags/{}", escape(key)),
            Self::Nameless => String::new(),
        }
    }
}

/// A cell that holds JSON.
fn json(column: &Column, text: &str) -> Result<Value, FieldError> {
    serde_json::from_str(text).map_err(|_| {
        let detail = "must be a JSON object, such as {\"floor\":1}".to_owned();
        FieldError::at_pointer(column.pointer(), "invalid_value", detail)
    })
}

/// Spreadsheets write truth in capitals.
fn truth(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" => true.into(),
        "false" => false.into(),
        _ => text.into(),
    }
}

/// Tags that are no object are left for the reader of devices to refuse.
fn add_tags(tags: &mut Map<String, Value>, more: Value) -> Result<(), FieldError> {
    let Value::Object(more) = more else {
        let detail = "must be a JSON object, such as {\"site\":\"north\"}".to_owned();
        let pointer = "/tags".to_owned();
        return Err(FieldError::at_pointer(pointer, "invalid_value", detail));
    };
    more.into_iter()
        .try_for_each(|(key, value)| add_tag(tags, key, value))
}

fn add_tag(tags: &mut Map<String, Value>, key: String, value: Value) -> Result<(), FieldError> {
    let pointer = format!("/tags/{}", escape(&key));
    if tags.insert(key, value).is_none() {
        return Ok(());
    }
    let detail = "is there twice".to_owned();
    Err(FieldError::at_pointer(pointer, "duplicate_field", detail))
}
