//! Problems in the OpenAPI document, in groups that operations share.

use super::{PROBLEM_JSON, ProblemKind, ProblemView};
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, header::HeaderBuilder},
};

type Responses = BTreeMap<String, RefOr<Response>>;

/// One response for each status, with all the codes that it may carry.
fn of(kinds: &[ProblemKind]) -> Responses {
    let mut by_status: BTreeMap<String, Vec<ProblemKind>> = BTreeMap::new();
    for kind in kinds {
        by_status
            .entry(kind.status().as_str().to_owned())
            .or_default()
            .push(*kind);
    }
    by_status
        .into_iter()
        .map(|(status, kinds)| (status, response(&kinds).into()))
        .collect()
}

fn response(kinds: &[ProblemKind]) -> Response {
    let codes: Vec<_> = kinds
        .iter()
        .map(|kind| format!("`{}`", kind.code()))
        .collect();
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let mut content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemView::name())));
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
    response.build()
}

fn example(kind: ProblemKind) -> serde_json::Value {
    serde_json::json!({
        "type": format!("/problems/{}", kind.code()),
        "title": kind.title(),
        "status": kind.status().as_u16(),
        "detail": kind.usual_detail(),
        "instance": "/api/v1/…",
        "code": kind.code(),
        "request_id": "0192f0a1-7c1e-7b7a-9f0e-3b8a52a1c9d4",
    })
}

macro_rules! group {
    ($(#[$doc:meta])* $group:ident: $($kind:ident)*) => {
        $(#[$doc])*
        pub(crate) struct $group;

        impl IntoResponses for $group {
            fn responses() -> Responses {
                of(&[$(ProblemKind::$kind),*])
            }
        }
    };
}

group!(
    /// What any operation of a user may answer.
    AuthProblems: Unauthenticated
);
group!(
    /// What any operation that needs the database may answer.
    ServerProblems: Unavailable QueryTimeout Overloaded Internal
);
group!(
    /// What an operation on one thing may answer.
    NotFoundProblem: NotFound
);
group!(
    /// What an operation with query parameters may answer.
    InputProblems: ValidationFailed
);
group!(
    /// What an operation with a JSON body may answer.
    BodyProblems: MalformedJson MalformedRequest RequestTimeout PayloadTooLarge ValidationFailed
);
group!(
    /// What an operation that takes one media type alone may answer.
    UnsupportedProblem: UnsupportedMediaType
);
group!(
    /// What signing up alone may answer.
    EmailTakenProblem: EmailTaken
);
group!(
    /// What exchanging credentials may answer.
    CredentialProblems: InvalidCredentials
);
group!(
    /// What ending an alert alone may answer.
    AlreadyResolvedProblem: AlertAlreadyResolved
);
group!(
    /// What posting readings may answer.
    IngestProblems: InvalidDeviceKey DeviceDisabled ReadingConflict MalformedJson MalformedRequest RequestTimeout
        PayloadTooLarge UnsupportedMediaType ValidationFailed NoUsableReading
);
