//! What a handler needs of an API key, told by the type of its first argument.

use super::caller::Caller;
use crate::{
    openapi::operations_mut,
    problem::{Problem, ProblemKind, ScopeProblems},
    query::refuse_unasked,
};
use actix_web::{FromRequest, HttpRequest, dev, http::StatusCode};
use domain::api_key::Scope;
use persistence::session::OwnerId;
use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    marker::PhantomData,
};
use utoipa::{
    IntoResponses,
    openapi::{
        OpenApi as Document, Ref, RefOr, Response, ResponseBuilder, security::SecurityRequirement,
    },
};

/// A scope as a type.
pub(crate) trait Needs: 'static {
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($scope:ident)*) => {
        $(
            #[doc = concat!("Needs [`Scope::", stringify!($scope), "`].")]
            #[derive(Debug)]
            pub(crate) enum $scope {}

            impl Needs for $scope {
                const SCOPE: Scope = Scope::$scope;
            }
        )*
    };
}

needs! { DevicesRead DevicesWrite ReadingsRead AlertsRead AlertsWrite }

/// Someone who may do what the scope covers: a user with an open session, or one of the user's API
/// keys that has the scope. A handler that takes one cannot be called by anyone else.
///
/// Among the responses of an operation it stands for those that it gives, and makes the document say
/// which scope it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scoped<S> {
    pub(crate) owner: OwnerId,
    scope: PhantomData<S>,
}

impl<S: Needs> FromRequest for Scoped<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let owner = Caller::of(request).and_then(|caller| match caller {
            Caller::Session(user) => Ok(user.owner),
            Caller::ApiKey(grant) if grant.scopes.contain(S::SCOPE) => Ok(grant.owner),
            Caller::ApiKey(_) => Err(lacks(S::SCOPE)),
        });
        ready(owner.and_then(|owner| {
            refuse_unasked(request)?;
            let scope = PhantomData;
            Ok(Self { owner, scope })
        }))
    }
}

/// RFC 6750, section 3.1.
fn lacks(scope: Scope) -> Problem {
    let detail = format!("The API key does not have the scope {scope}, which this needs.");
    let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
    Problem::with_detail(ProblemKind::InsufficientScope, detail).challenging(challenge)
}

/// Carries the scope from the type to [`describe`], which takes it out again.
const MARK: &str = "x-scope";

impl<S: Needs> IntoResponses for Scoped<S> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mark = [(MARK, S::SCOPE.as_str())].into_iter().collect();
        let marked = ResponseBuilder::new().extensions(Some(mark)).build();
        let mut responses = ScopeProblems::responses();
        responses.insert(StatusCode::FORBIDDEN.as_str().to_owned(), marked.into());
        responses
    }
}

/// Says of each operation that takes an API key which scope it needs.
pub(crate) fn describe(document: &mut Document) {
    let operations = document.paths.paths.values_mut().flat_map(operations_mut);
    for operation in operations {
        let forbidden = operation
            .responses
            .responses
            .get_mut(StatusCode::FORBIDDEN.as_str());
        if let Some(response) = forbidden
            && let Some(scope) = marked(response)
        {
            *response = forbids(scope).into();
            operation.security = Some(vec![
                SecurityRequirement::new("bearer", [""; 0]),
                SecurityRequirement::new("api_key", [scope.as_str()]),
            ]);
        }
    }
}

fn marked(response: &RefOr<Response>) -> Option<Scope> {
    match response {
        RefOr::T(response) => {
            let mark = response.extensions.as_ref()?.get(MARK)?;
            mark.as_str()?.parse().ok()
        }
        RefOr::Ref(_) => None,
    }
}

fn forbids(scope: Scope) -> Ref {
    let kind = ProblemKind::InsufficientScope;
    let mut reference = Ref::from_response_name(format!("{kind:?}"));
    reference.description = format!("The API key lacks the scope `{scope}` (`{}`)", kind.code());
    reference
}
