//! How things are asked for: routes, views, problems, authentication and the OpenAPI document.

mod accept;
mod alert;
mod alert_rule;
mod api_key;
mod auth;
mod body;
mod clock;
mod conditional;
mod device;
mod health;
mod idempotency;
mod observe;
mod openapi;
mod path;
mod problem;
mod query;
mod rate_limit;
mod reading;
mod rejection;
mod rollup;
mod server;
mod session;
mod signing_key;
mod state;
mod user;
mod verification;
mod view;

pub use auth::{SigningKeys, SigningKeysError};
pub use clock::Clock;
pub use openapi::document;
pub use rate_limit::{RateLimitSettings, RateLimits};
pub use server::{Bound, bind};
pub use state::{AppState, AuthSettings, Parts};
