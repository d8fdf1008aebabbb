//! What the document says of answers with a tag: the same of each, so it is said in one place.

use crate::openapi::BASE;
use utoipa::openapi::{
    Object, OpenApi, Ref, RefOr, ResponseBuilder, Type,
    header::{Header, HeaderBuilder},
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
};

const KNOWN_TAG: &str = "IfNoneMatch";
const TAG: &str = "ETag";
const NOT_MODIFIED: &str = "NotModified";

/// Describes `ETag`, `If-None-Match` and 304 of all that is read, and `ETag` of what is made or edited.
///
/// What stands beside secrets has none: it is never to be kept.
pub(crate) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let is_ours = path.starts_with(BASE) || path.starts_with("/problems");
        let is_read = |operation: &&mut Operation| is_ours && !is_auth(operation);
        if let Some(operation) = item.get.as_mut().filter(is_read) {
            reads(operation);
        }
        let edited = [&mut item.post, &mut item.patch].into_iter().flatten();
        for operation in edited.filter(|it| is_versioned(it)) {
            tagged(operation);
        }
    }
    let components = document.components.get_or_insert_default();
    let parameters = &mut components.parameters;
    parameters.insert(KNOWN_TAG.to_owned(), known_tag().into());
    let headers = &mut components.headers;
    headers.insert(TAG.to_owned(), tag().into());
    let description = "As it was when it had the `ETag` that was sent";
    let not_modified = ResponseBuilder::new()
        .description(description)
        .header(TAG, tag());
    let responses = &mut components.responses;
    responses.insert(NOT_MODIFIED.to_owned(), not_modified.build().into());
}

fn is_auth(operation: &Operation) -> bool {
    let tags = operation.tags.iter().flatten();
    tags.into_iter().any(|tag| tag == "auth")
}

/// Whether it makes or edits something that has a version.
fn is_versioned(operation: &Operation) -> bool {
    let versioned = [
        "device_create",
        "device_update",
        "alert_rule_create",
        "alert_rule_create_for_fleet",
        "alert_rule_update",
    ];
    let id = operation.operation_id.as_deref().unwrap_or_default();
    versioned.contains(&id)
}

fn reads(operation: &mut Operation) {
    tagged(operation);
    let known = Ref::new(format!("#/components/parameters/{KNOWN_TAG}"));
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(RefOr::Ref(known));
    for (status, name) in [("304", NOT_MODIFIED), ("412", "PreconditionFailed")] {
        let response = Ref::from_response_name(name);
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_owned(), response.into());
    }
}

fn tagged(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            let header = Ref::new(format!("#/components/headers/{TAG}"));
            response.headers.insert(TAG.to_owned(), RefOr::Ref(header));
        }
    }
}

fn known_tag() -> Parameter {
    ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The `ETag` of an answer that the client has; where it has not changed, the answer is 304.",
        ))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn tag() -> Header {
    HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::String)))
        .description(Some(
            "Changes with every byte of the answer; that of a thing which has a `version` begins with it.",
        ))
        .build()
}
