//! From the errors of the layers below to problems.

use super::{FieldError, Problem, ProblemKind};
use crate::rate_limit::RateLimited;
use domain::{
    alert::AlreadyResolved,
    alert_rule::{AlertRuleChangeError, TooManyRules},
    api_key::{AlreadyExpired, TooManyApiKeys},
    device::DeviceChangeError,
    reading::ReadingError,
    rollup::RollupError,
    version::{EditError, Outdated},
};
use persistence::{Constraint, StoreError, ingest::IngestError};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Conflict(Constraint::UserEmail) => ProblemKind::EmailTaken,
            StoreError::Conflict(Constraint::UserGone) => ProblemKind::Unauthenticated,
            StoreError::Data(_) => ProblemKind::ValidationFailed,
            StoreError::Timeout(_) => ProblemKind::QueryTimeout,
            StoreError::Contended(_) | StoreError::Unavailable(_) => ProblemKind::Unavailable,
            StoreError::Conflict(Constraint::OpenAlert | Constraint::Other(_))
            | StoreError::Corrupt { .. }
            | StoreError::Unexpected(_) => ProblemKind::Internal,
        };
        Self::new(kind).because(error)
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::UnknownKey => Self::new(ProblemKind::InvalidDeviceKey),
            IngestError::Disabled(_) => Self::new(ProblemKind::DeviceDisabled),
            IngestError::Overloaded => Self::new(ProblemKind::Overloaded),
            IngestError::Stopped => Self::new(ProblemKind::Unavailable),
            IngestError::Store(error) => error.into(),
        }
    }
}

impl From<RateLimited> for Problem {
    fn from(limited: RateLimited) -> Self {
        Self::with_detail(ProblemKind::RateLimited, limited.detail())
            .retry_after(limited.retry_after())
            .with_rate_limit(limited.fields())
    }
}

/// One reading that was posted alone and refused.
impl From<ReadingError> for Problem {
    fn from(error: ReadingError) -> Self {
        if error == ReadingError::Conflict {
            return Self::new(ProblemKind::ReadingConflict);
        }
        let pointer = error
            .field()
            .map_or_else(String::new, |field| format!("/{field}"));
        let detail = error.to_string();
        Self::with_detail(ProblemKind::ValidationFailed, detail.clone())
            .and(FieldError::at_pointer(pointer, error.code(), detail))
    }
}

impl From<DeviceChangeError> for Problem {
    fn from(error: DeviceChangeError) -> Self {
        let (pointer, code) = match &error {
            DeviceChangeError::NoMetadata(_) => ("/metadata", "invalid_value"),
            DeviceChangeError::Metadata(_) => ("/metadata", "invalid_combination"),
            DeviceChangeError::Tags(_) => ("/tags", "invalid_combination"),
        };
        let detail = error.to_string();
        Self::invalid(FieldError::at_pointer(pointer.to_owned(), code, detail))
    }
}

impl From<AlertRuleChangeError> for Problem {
    fn from(error: AlertRuleChangeError) -> Self {
        // What is wrong is what it would come to with the rest of the rule, not the member by itself.
        let pointer = match &error {
            AlertRuleChangeError::ClearThreshold(_) => "/clear_threshold",
            AlertRuleChangeError::NoData => "/no_data",
            AlertRuleChangeError::NoSelector | AlertRuleChangeError::Selector(_) => "/selector",
        };
        let detail = error.to_string();
        Self::invalid(FieldError::at_pointer(
            pointer.to_owned(),
            "invalid_combination",
            detail,
        ))
    }
}

impl From<TooManyRules> for Problem {
    fn from(error: TooManyRules) -> Self {
        let detail = error.to_string();
        Self::with_detail(ProblemKind::ValidationFailed, detail.clone()).and(
            FieldError::at_pointer(String::new(), "too_many_rules", detail),
        )
    }
}

impl From<AlreadyExpired> for Problem {
    fn from(error: AlreadyExpired) -> Self {
        let detail = error.to_string();
        Self::invalid(FieldError::at_pointer(
            "/expires_at".to_owned(),
            "invalid_value",
            detail,
        ))
    }
}

impl From<TooManyApiKeys> for Problem {
    fn from(error: TooManyApiKeys) -> Self {
        let detail = error.to_string();
        Self::with_detail(ProblemKind::ValidationFailed, detail.clone()).and(
            FieldError::at_pointer(String::new(), "too_many_api_keys", detail),
        )
    }
}

impl From<RollupError> for Problem {
    fn from(error: RollupError) -> Self {
        let (parameter, code) = match &error {
            RollupError::EmptyRange => ("start", "empty_range"),
            RollupError::TooManyBuckets { .. } => ("interval", "too_many_buckets"),
        };
        let detail = error.to_string();
        Self::with_detail(ProblemKind::ValidationFailed, detail.clone())
            .and(FieldError::at_parameter(parameter, code, detail))
    }
}

impl From<AlreadyResolved> for Problem {
    fn from(_: AlreadyResolved) -> Self {
        Self::new(ProblemKind::AlertAlreadyResolved)
    }
}

impl From<Outdated> for Problem {
    fn from(error: Outdated) -> Self {
        let detail = format!("It {error}. Nothing was done.");
        Self::with_detail(ProblemKind::PreconditionFailed, detail)
    }
}

impl<E> From<EditError<E>> for Problem
where
    Self: From<E>,
{
    fn from(error: EditError<E>) -> Self {
        match error {
            EditError::Outdated(error) => error.into(),
            EditError::Invalid(error) => error.into(),
        }
    }
}
