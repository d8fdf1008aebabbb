//! The service, tested from outside: real processes, a real database, a real pooler. Run by `make test`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and a panic is how it says so"
)]

#[path = "../support/mod.rs"]
mod support;

mod alert;
mod alert_rule;
mod api_key;
mod architecture;
mod blame;
mod canary;
mod chaos;
mod cli;
mod contract;
mod device;
mod document_coverage;
mod embedded;
mod health;
mod idempotency;
mod migration;
mod openapi;
mod overload;
mod owner;
mod pooling;
mod problem;
mod rate_limit;
mod reading;
mod rejection;
mod released;
mod rollup;
mod schema;
mod session;
mod shutdown;
mod signing_key;
mod throttle;
mod tool;
mod user;
mod verification;
