//! Readings over HTTP: posting them, and reading them as they were stored.

mod export;
mod ingest;
mod new_reading;
mod parse;
mod receipt;
mod show;

pub(crate) use receipt::RejectedBatchView;
pub(crate) use show::require_metrics;

use chrono::{DateTime, Utc};
use domain::{
    decimal::ExactDecimal,
    reading::{Metric, Reading},
};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// A reading as it is stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Reading)]
struct ReadingView {
    metric: Metric,
    value: ExactDecimal,
    /// When it was measured.
    recorded_at: DateTime<Utc>,
}

impl From<Reading> for ReadingView {
    fn from(reading: Reading) -> Self {
        let Reading {
            metric,
            value,
            recorded_at,
        } = reading;
        Self {
            metric,
            value,
            recorded_at,
        }
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(ingest::reading_create)
        .service(show::reading_list)
        .service(show::reading_latest)
        .service(show::metric_list);
}
