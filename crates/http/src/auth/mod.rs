//! Who is asking: access tokens, passwords, and the callers that handlers take as arguments.

mod caller;
mod open_sessions;
mod password;
mod token;

pub(crate) use caller::{User, authenticate, device_key};
pub(crate) use open_sessions::OpenSessions;
pub(crate) use password::Passwords;
pub(crate) use token::{ACCESS_LIFETIME, Tokens};
