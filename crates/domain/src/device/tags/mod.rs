//! Tags on a device, by which some devices are told from others.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type, schema::SchemaType};

/// Most tags of a device, and most that devices are filtered by.
const MOST: usize = 32;

const KEY_PATTERN: &str = "^[A-Za-z][A-Za-z0-9_.-]{0,63}$";

/// No control characters, and something to see.
const VALUE_PATTERN: &str =
    r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

const FILTER_PATTERN: &str = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}(:[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*)?$";

/// The name of a tag: `[A-Za-z][A-Za-z0-9_.-]{0,63}`, so that a colon ends it in a filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagKey(String);

/// The text is not the name of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be named by a letter and at most 63 letters, digits or any of _ . - after it")]
pub struct TagKeyError;

impl TagKey {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TagKey {
    type Error = TagKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if begins_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(TagKeyError)
        }
    }
}

impl From<TagKey> for String {
    fn from(key: TagKey) -> Self {
        key.0
    }
}

/// The value of a tag: 1 to 128 characters without control characters, trimmed, so that a blank which
/// nobody sees keeps no device out of its fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagValue(String);

/// The text is not the value of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 128 characters, and no control characters")]
pub struct TagValueError;

impl TryFrom<String> for TagValue {
    type Error = TagValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TagValueError)
        }
    }
}

impl From<TagValue> for String {
    fn from(value: TagValue) -> Self {
        value.0
    }
}

/// Tags of a device: at most 32 names, each with a text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<TagKey, TagValue>")]
pub struct Tags(BTreeMap<TagKey, TagValue>);

/// There are more tags than a device may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be at most {MOST}")]
pub struct TagsError;

impl Tags {
    /// Takes what was stored.
    pub fn from_stored(value: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(value)
    }

    /// The tags as a JSON object.
    #[must_use]
    pub fn into_value(self) -> Value {
        let member = |(key, value): (TagKey, TagValue)| (key.0, Value::String(value.0));
        Value::Object(self.0.into_iter().map(member).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags with a change made to them.
    pub(crate) fn changed(mut self, change: TagsChange) -> Result<Self, TagsError> {
        let Some(change) = change.0 else {
            return Ok(Self::default());
        };
        for (key, value) in change {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
        Self::try_from(self.0)
    }
}

impl TryFrom<BTreeMap<TagKey, TagValue>> for Tags {
    type Error = TagsError;

    fn try_from(tags: BTreeMap<TagKey, TagValue>) -> Result<Self, Self::Error> {
        if tags.len() <= MOST {
            Ok(Self(tags))
        } else {
            Err(TagsError)
        }
    }
}

impl utoipa::ToSchema for Tags {}

impl utoipa::PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        let tags = object_of_tags(Type::String.into())
            .description(Some(
                "What devices are filtered by: at most 32 names, each with a text without control \
                 characters. Blanks around a text are cut off.",
            ))
            .max_properties(Some(MOST))
            .examples([json!({"site": "north"})]);
        RefOr::T(tags.into())
    }
}

/// An object of names with values of these types.
fn object_of_tags(values: SchemaType) -> ObjectBuilder {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(KEY_PATTERN));
    let value = ObjectBuilder::new()
        .schema_type(values)
        .pattern(Some(VALUE_PATTERN))
        .min_length(Some(1))
        .max_length(Some(128));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(Schema::Object(key.build())))
        .additional_properties(Some(Schema::Object(value.build())))
}

/// A merge patch of tags: those to set, and those to remove with null; null instead of them removes all.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct TagsChange(Option<BTreeMap<TagKey, Option<TagValue>>>);

impl TagsChange {
    /// Whether it removes all tags, whatever they are.
    #[must_use]
    pub(super) fn wipes(&self) -> bool {
        self.0.is_none()
    }
}

impl Default for TagsChange {
    /// Nothing is set and nothing removed.
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl utoipa::ToSchema for TagsChange {}

impl utoipa::PartialSchema for TagsChange {
    fn schema() -> RefOr<Schema> {
        let nullable = |of: Type| SchemaType::Array(vec![of, Type::Null]);
        let tags = object_of_tags(nullable(Type::String))
            .schema_type(nullable(Type::Object))
            .description(Some(
                "Tags to set; one that is null is removed; null instead of them removes all.",
            ))
            .examples([json!({"site": "south", "old": null})]);
        RefOr::T(tags.into())
    }
}

/// What a device must have: a tag of any value, `site`, or of this one, `site:north`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TagFilter {
    /// A tag of this name.
    Has(TagKey),
    /// Exactly these tags, among others.
    With(Tags),
}

impl utoipa::ToSchema for TagFilter {}

impl utoipa::PartialSchema for TagFilter {
    fn schema() -> RefOr<Schema> {
        let filter = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(FILTER_PATTERN))
            .examples([json!("site:north")]);
        RefOr::T(filter.into())
    }
}

/// The text is no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the name of a tag, such as site, or a name and a value of 1 to 128 characters with a colon between, such as site:north"
)]
pub struct TagFilterError;

impl TryFrom<String> for TagFilter {
    type Error = TagFilterError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let key = |text: &str| TagKey::try_from(text.to_owned()).map_err(|_| TagFilterError);
        let Some((name, value)) = text.split_once(':') else {
            return key(&text).map(Self::Has);
        };
        let value = TagValue::try_from(value.to_owned()).map_err(|_| TagFilterError)?;
        Ok(Self::With(Tags(BTreeMap::from([(key(name)?, value)]))))
    }
}

/// What devices must have, all of it; at most 32 filters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Vec<TagFilter>")]
pub struct TagFilters(Vec<TagFilter>);

impl TagFilters {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &TagFilter> {
        self.0.iter()
    }

    /// Whether every device has what it must have.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<TagFilter>> for TagFilters {
    type Error = TagsError;

    fn try_from(filters: Vec<TagFilter>) -> Result<Self, Self::Error> {
        if filters.len() <= MOST {
            Ok(Self(filters))
        } else {
            Err(TagsError)
        }
    }
}

#[cfg(test)]
mod tests;
