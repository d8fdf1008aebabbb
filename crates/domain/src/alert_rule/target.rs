//! Which devices a rule watches.

use crate::device::{DeviceId, Tags};
use serde::{Deserialize, Serialize};

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
#[serde(try_from = "SelectorFields")]
pub struct Selector {
    /// A device has to have all of these; at least one.
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectorFields {
    tags: Tags,
}

/// The selector has no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at least one tag")]
pub struct SelectorError;

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
            return Err(SelectorError);
        }
        Ok(Self { tags })
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
