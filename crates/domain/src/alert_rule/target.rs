//! Which devices a rule watches.

use crate::device::{DeviceId, Tags, TagsChange, TagsError};
use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema,
    openapi::{RefOr, Schema},
};

/// Which devices a rule watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One device.
    Device(DeviceId),
    /// All devices of the owner that have some tags, also those that get them later.
    Fleet(Selector),
}

/// Chooses devices of an owner by what they are tagged with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "SelectorFields", deny_unknown_fields)]
pub struct Selector {
    /// A device has to have all of these; at least one.
    #[schema(schema_with = at_least_one)]
    tags: Tags,
}

fn at_least_one() -> RefOr<Schema> {
    let mut tags = Tags::schema();
    if let RefOr::T(Schema::Object(tags)) = &mut tags {
        tags.min_properties = Some(1);
    }
    tags
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectorFields {
    tags: Tags,
}

/// A merge patch of a selector.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectorChange {
    /// Tags to set; one that is null is removed. At least one has to be left.
    #[serde(default)]
    #[schema(value_type = TagsChange, required = false)]
    tags: TagsChange,
}

/// The selector has no tag, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// It would choose every device.
    #[error("must have at least one tag")]
    Empty,
    /// A device cannot have as many tags.
    #[error(transparent)]
    Tags(#[from] TagsError),
}

impl TryFrom<SelectorFields> for Selector {
    type Error = SelectorError;

    fn try_from(fields: SelectorFields) -> Result<Self, SelectorError> {
        Self::new(fields.tags)
    }
}

impl Selector {
    /// Chooses the devices that have all of these tags, of which there is at least one.
    pub fn new(tags: Tags) -> Result<Self, SelectorError> {
        if tags.is_empty() {
            return Err(SelectorError::Empty);
        }
        Ok(Self { tags })
    }

    /// The selector with a change made to it.
    pub(super) fn changed(&self, change: SelectorChange) -> Result<Self, SelectorError> {
        Self::new(self.tags.clone().changed(change.tags)?)
    }

    /// The tags that a device has to have.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        &self.tags
    }
}

impl Target {
    /// The device, where it is a single one.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        match self {
            Self::Device(id) => Some(*id),
            Self::Fleet(_) => None,
        }
    }

    /// How devices are chosen, where it is not a single one.
    #[must_use]
    pub fn selector(&self) -> Option<&Selector> {
        match self {
            Self::Device(_) => None,
            Self::Fleet(selector) => Some(selector),
        }
    }
}
