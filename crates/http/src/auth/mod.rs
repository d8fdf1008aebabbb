//! Who is asking: access tokens, API keys, passwords, and the callers that handlers take as arguments.

mod address;
mod caller;
mod open_api_keys;
mod open_sessions;
mod password;
mod ring;
mod scope;
mod signing_keys;
mod token;

pub(crate) use address::{address, network};
pub(crate) use caller::{User, api_key_of, authenticate, brings_api_key, device_key};
pub(crate) use domain::session::ACCESS_LIFETIME;
pub(crate) use open_api_keys::OpenApiKeys;
pub(crate) use open_sessions::OpenSessions;
pub(crate) use password::Passwords;
pub(crate) use scope::{
    AlertsRead, AlertsWrite, DevicesRead, DevicesWrite, ReadingsRead, Scoped, describe,
};
pub use signing_keys::{SigningKeys, SigningKeysError};
pub(crate) use token::Tokens;
