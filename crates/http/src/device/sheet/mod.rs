//! Devices as sheets (CSV, RFC 4180): what is provisioned from them, and what comes out.
//!
//! | column | |
//! |---|---|
//! | `name`, `enabled`, `offline_after` | as in JSON; an empty cell is the default |
//! | `metadata` | a JSON object |
//! | `tag:site` | the tag `site`; an empty cell is none |
//! | `tags` | a JSON object of those that have no column of their own |

mod guard;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::{Columns, Row, Writer};

/// The media type of a sheet that is answered.
pub(super) const MEDIA_TYPE: &str = "text/csv; charset=utf-8; header=present";

/// How devices are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
}

/// The media types that they have.
pub(super) const FORMS: [(&str, Form); 2] =
    [("application/json", Form::Json), ("text/csv", Form::Csv)];

/// What a tag's column is called, before its name.
const TAG: &str = "tag:";

/// The same as some spreadsheets and scripts have it.
const TAG_DOTTED: &str = "tags.";

/// Columns that devices are provisioned from, beside those of tags.
const TAKEN: [&str; 5] = ["name", "enabled", "offline_after", "metadata", "tags"];

/// Columns that only come out, so that what came out may go in again elsewhere.
const SHOWN: [&str; 4] = ["id", "status", "last_seen_at", "created_at"];

/// For the document: what goes in.
pub(super) const EXAMPLE_IN: &str = "name,offline_after,tag:site,metadata\r\nBoiler,5m,north,\"{\"\"floor\"\":1}\"\r\nKettle,,south,\r\n";

/// For the document: what comes out.
pub(super) const EXAMPLE_OUT: &str = "id,name,enabled,offline_after,metadata,tags,tag:site,status,last_seen_at,created_at\r\n\
    0192f0a1-7c1e-7b7a-9f0e-3b8a52a1c9d4,Boiler,true,5m,\"{\"\"floor\"\":1}\",,north,offline,,2026-01-31T12:00:00Z\r\n";

#[cfg(test)]
mod tests;
