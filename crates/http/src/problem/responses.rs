//! Problems in the OpenAPI document, in groups that operations share.

use super::{PROBLEM_JSON, ProblemKind, ProblemView};
use crate::{rate_limit, reading::RejectedBatchView};
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, header::HeaderBuilder,
        schema::AnyOfBuilder,
    },
};

macro_rules! groups {
    ($($(#[$doc:meta])* $group:ident: $($kind:ident)*;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $group;

            impl IntoResponses for $group {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    references(&[$(ProblemKind::$kind),*])
                }
            }
        )*

        /// Every response that the groups refer to, by its name in the document.
        pub(crate) fn all() -> BTreeMap<String, Response> {
            let mut all = BTreeMap::new();
            $(
                for (_, kinds) in by_status(&[$(ProblemKind::$kind),*]) {
                    all.insert(name(&kinds), response(&kinds));
                }
            )*
            all
        }
    };
}

groups! {
    /// What any operation that is for users in a session alone may answer.
    AuthProblems: Unauthenticated SessionRequired;
    /// What any operation that API keys may do, too, may answer.
    ScopeProblems: Unauthenticated InsufficientScope;
    /// What any operation that needs the database may answer.
    ServerProblems: Unavailable QueryTimeout Overloaded Internal;
    /// What an operation on one thing may answer.
    NotFoundProblem: NotFound;
    /// What an operation with query parameters may answer.
    InputProblems: ValidationFailed;
    /// What an operation with several media types may answer.
    AcceptProblem: NotAcceptable;
    /// What an operation with a JSON body may answer.
    BodyProblems: MalformedJson MalformedRequest RequestTimeout PayloadTooLarge ValidationFailed UnsupportedMediaType;
    /// What an operation with a JSON body that has the user's password may answer.
    PasswordProblems: MalformedJson MalformedRequest RequestTimeout PayloadTooLarge ValidationFailed WrongPassword
        UnsupportedMediaType;
    /// What an operation that is done once for its key may answer to its body and its key.
    OnceProblems: MalformedJson MalformedRequest RequestTimeout IdempotencyInFlight PayloadTooLarge UnsupportedMediaType
        ValidationFailed IdempotencyMismatch;
    /// What an operation may answer that looks at `If-Match`.
    ConditionProblems: MalformedRequest PreconditionFailed;
    /// What an edit may answer, which has a body and looks at `If-Match`.
    EditProblems: PreconditionFailed PreconditionRequired;
    /// What an edit may answer that looks at `If-Match` where there is one.
    VersionProblem: PreconditionFailed;
    /// What signing up alone may answer.
    EmailTakenProblem: EmailTaken;
    /// What asking for a verification mail alone may answer.
    EmailVerifiedProblem: EmailAlreadyVerified;
    /// What an operation with a mailed token in its JSON body may answer.
    MailedTokenProblems: MalformedJson MalformedRequest RequestTimeout PayloadTooLarge ValidationFailed InvalidToken
        UnsupportedMediaType;
    /// What exchanging credentials may answer.
    CredentialProblems: InvalidCredentials;
    /// What an operation may answer that is throttled.
    ThrottleProblem: TooManyAttempts;
    /// What ending an alert alone may answer.
    AlreadyResolvedProblem: AlertAlreadyResolved;
    /// What posting readings may answer.
    IngestProblems: InvalidDeviceKey DeviceDisabled ReadingConflict MalformedJson MalformedEncoding MalformedRequest
        RequestTimeout PayloadTooLarge UnsupportedMediaType ValidationFailed NoUsableReading AtomicRefused RateLimited;
}

fn by_status(kinds: &[ProblemKind]) -> BTreeMap<String, Vec<ProblemKind>> {
    let mut by_status: BTreeMap<String, Vec<ProblemKind>> = BTreeMap::new();
    for kind in kinds {
        let status = kind.status().as_str().to_owned();
        by_status.entry(status).or_default().push(*kind);
    }
    by_status
}

/// One reference for each status.
fn references(kinds: &[ProblemKind]) -> BTreeMap<String, RefOr<Response>> {
    by_status(kinds)
        .into_iter()
        .map(|(status, kinds)| (status, Ref::from_response_name(name(&kinds)).into()))
        .collect()
}

/// Names a response after the problems that it may carry.
fn name(kinds: &[ProblemKind]) -> String {
    kinds
        .iter()
        .map(|kind| format!("{kind:?}"))
        .collect::<Vec<_>>()
        .join("Or")
}

fn response(kinds: &[ProblemKind]) -> Response {
    let codes: Vec<_> = kinds
        .iter()
        .map(|kind| format!("`{}`", kind.code()))
        .collect();
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let problem = Ref::from_schema_name(ProblemView::name());
    let schema: RefOr<Schema> = if kinds.contains(&ProblemKind::NoUsableReading) {
        let batch = Ref::from_schema_name(RejectedBatchView::name());
        let either = AnyOfBuilder::new().item(problem).item(batch);
        Schema::AnyOf(either.build()).into()
    } else {
        problem.into()
    };
    let mut content = ContentBuilder::new().schema(Some(schema));
    if let Some(kind) = kinds.first() {
        content = content.example(Some(example(*kind)));
    }
    let mut response = ResponseBuilder::new()
        .description(format!("{} ({})", titles.join("; "), codes.join(", ")))
        .content(PROBLEM_JSON, content.build());
    if kinds.iter().any(|kind| kind.retry_after().is_some()) {
        let header = HeaderBuilder::new().description(Some("Seconds after which to try again"));
        response = response.header("Retry-After", header.build());
    }
    if kinds.contains(&ProblemKind::RateLimited) {
        for (name, header) in rate_limit::documented() {
            response = response.header(name, header);
        }
    }
    response.build()
}

pub(super) fn example(kind: ProblemKind) -> serde_json::Value {
    serde_json::json!({
        "type": kind.page(),
        "title": kind.title(),
        "status": kind.status().as_u16(),
        "detail": kind.usual_detail(),
        "instance": "/api/v1/…",
        "code": kind.code(),
        "request_id": "0192f0a1-7c1e-7b7a-9f0e-3b8a52a1c9d4",
    })
}
