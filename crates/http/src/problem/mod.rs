//! Everything that can go wrong with a request, as problem details (RFC 9457).

mod code;
mod from;
mod kind;
mod page;
mod responses;

pub(crate) use code::{FieldErrorCode, ItemErrorCode, ProblemCode};
pub(crate) use kind::ProblemKind;
pub(crate) use page::{describe, routes};
pub(crate) use responses::{
    AcceptProblem, AlreadyResolvedProblem, AuthProblems, BodyProblems, ConditionProblems,
    CredentialProblems, EditProblems, EmailTakenProblem, EmailVerifiedProblem, IngestProblems,
    InputProblems, MailedTokenProblems, NotFoundProblem, OnceProblems, PasswordProblems,
    ScopeProblems, ServerProblems, ThrottleProblem, VersionProblem, all as documented_responses,
};

use crate::rate_limit::RateLimitFields;
use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use std::{error::Error, fmt, sync::Arc};

/// The media type of problem details.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not done, as it is told to the client.
///
/// The cause is for the log alone, where it is written once.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: ProblemKind,
    detail: String,
    more: Box<More>,
}

/// What only some problems have.
#[derive(Debug, Clone, Default)]
struct More {
    errors: Vec<FieldError>,
    allow: Option<String>,
    receipt: Option<serde_json::Value>,
    challenge: Option<String>,
    retry_after: Option<u64>,
    rate_limit: Option<RateLimitFields>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// Where it is in the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/name")]
    pointer: Option<String>,
    /// The query parameter or header to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "limit")]
    parameter: Option<String>,
    /// A stable word for programs.
    #[schema(value_type = FieldErrorCode, example = "invalid_value")]
    code: String,
    /// What is wrong, for people.
    #[schema(example = "must have 1 to 100 characters, and no control characters")]
    detail: String,
}

impl FieldError {
    /// Blames a part of the body.
    pub(crate) fn at_pointer(pointer: String, code: &str, detail: String) -> Self {
        let (pointer, parameter) = (Some(pointer), None);
        Self {
            pointer,
            parameter,
            code: code.to_owned(),
            detail,
        }
    }

    /// Blames a query parameter or a header.
    pub(crate) fn at_parameter(parameter: &str, code: &str, detail: String) -> Self {
        let (pointer, parameter) = (None, Some(parameter.to_owned()));
        Self {
            pointer,
            parameter,
            code: code.to_owned(),
            detail,
        }
    }
}

impl Problem {
    /// A problem with the usual words for its kind.
    pub(crate) fn new(kind: ProblemKind) -> Self {
        Self::with_detail(kind, kind.usual_detail())
    }

    /// A problem with words of its own.
    pub(crate) fn with_detail(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            more: Box::default(),
        }
    }

    /// A request that is well formed but not valid, with what is to blame.
    pub(crate) fn invalid(error: FieldError) -> Self {
        Self::with_detail(ProblemKind::ValidationFailed, error.blame()).and(error)
    }

    /// Adds what is to blame.
    pub(crate) fn and(mut self, error: FieldError) -> Self {
        self.more.errors.push(error);
        self
    }

    /// Adds the cause for the log.
    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.more.cause = Some(Arc::new(cause));
        self
    }

    /// Names the methods that a path does have.
    pub(crate) fn allowing(mut self, methods: String) -> Self {
        self.more.allow = Some(methods);
        self
    }

    /// Says how to authenticate, where its kind does not.
    pub(crate) fn challenging(mut self, challenge: String) -> Self {
        self.more.challenge = Some(challenge);
        self
    }

    /// Says when to try again, in whole seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.more.retry_after = Some(seconds);
        self
    }

    /// Says what is left of the quotas.
    pub(crate) fn with_rate_limit(mut self, fields: RateLimitFields) -> Self {
        self.more.rate_limit = Some(fields);
        self
    }

    /// Adds the members of an ingest receipt.
    pub(crate) fn with_receipt(mut self, receipt: &impl Serialize) -> Self {
        self.more.receipt = serde_json::to_value(receipt).ok();
        self
    }

    /// What kind of problem it is.
    pub(crate) fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What happened, as it is told to the client.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What the log should know and the client should not.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.more.cause.as_deref()
    }

    /// The answer to the request of this path and identifier.
    pub(crate) fn respond(&self, instance: &str, request_id: &str) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.kind.status());
        response
            .content_type(PROBLEM_JSON)
            .insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.more.retry_after.or(self.kind.retry_after()) {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        let challenge = self.more.challenge.as_deref();
        if let Some(challenge) = challenge.or(self.kind.challenge()) {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(methods) = &self.more.allow {
            response.insert_header((header::ALLOW, methods.as_str()));
        }
        let mut response = response.json(ProblemView {
            r#type: self.kind.page(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            instance,
            code: self.kind.code(),
            request_id,
            errors: &self.more.errors,
            receipt: self.more.receipt.as_ref(),
        });
        if let Some(fields) = self.more.rate_limit.clone() {
            fields.insert_into(response.headers_mut());
        }
        response
    }
}

impl FieldError {
    /// The blame in one sentence.
    pub(crate) fn blame(&self) -> String {
        let place = self
            .pointer
            .as_deref()
            .map(|it| it.trim_start_matches('/'))
            .or(self.parameter.as_deref());
        match place {
            Some(place) if !place.is_empty() => format!("{place} {}", self.detail),
            _ => self.detail.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        // The middleware that knows path and identifier answers instead; see `observe`.
        self.respond("", "")
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView<'a> {
    /// Identifies the kind of problem, and leads to a page about it.
    #[schema(format = "uri-reference", example = "/problems/validation_failed")]
    r#type: String,
    /// The kind of problem in words.
    #[schema(example = "The request is not valid")]
    title: &'a str,
    /// The status of the answer.
    #[schema(example = 422)]
    status: u16,
    /// What happened here, for people.
    #[schema(example = "name must have 1 to 100 characters, and no control characters")]
    detail: &'a str,
    /// The path that was asked for.
    #[schema(example = "/api/v1/devices")]
    instance: &'a str,
    /// A stable word for programs.
    #[schema(value_type = ProblemCode, example = "validation_failed")]
    code: &'a str,
    /// Identifies the request in the log of the service.
    request_id: &'a str,
    /// The parts of the request that are to blame; of a body that is not valid, the first that was found.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    receipt: Option<&'a serde_json::Value>,
}
