//! What the document says of many operations alike.

use super::BASE;
use crate::{idempotency, rate_limit};
use actix_web::http::StatusCode;
use utoipa::openapi::{
    OpenApi as Document, Ref, RefOr, Schema,
    path::{Operation, ParameterIn, PathItem},
    schema::ArrayItems,
    security::SecurityRequirement,
};

/// Says all of it.
pub(super) fn all(document: &mut Document) {
    rate_limits(document);
    replays(document);
    answers(document);
    lists(document);
    cursors(document);
    open_operations(document);
    unknown_parameters(document);
}

/// Says of the answers to readings that were taken what those to others say by themselves.
fn rate_limits(document: &mut Document) {
    let paths = document.paths.paths.values_mut();
    let posts = paths.filter_map(|path| path.post.as_mut());
    let ingest = posts.filter(|it| it.operation_id.as_deref() == Some("reading_create"));
    for (status, response) in ingest.flat_map(|it| &mut it.responses.responses) {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            for (name, header) in rate_limit::documented() {
                response.headers.insert(name.to_owned(), header.into());
            }
        }
    }
}

/// Says of the answers that may be kept how they are told from new ones.
fn replays(document: &mut Document) {
    let paths = document.paths.paths.values_mut();
    let is_once = |it: &&mut Operation| {
        let mut parameters = it.parameters.iter().flatten();
        parameters.any(|it| matches!(it, RefOr::T(it) if it.name == "Idempotency-Key"))
    };
    let posts = paths.filter_map(|path| path.post.as_mut()).filter(is_once);
    for (status, response) in posts.flat_map(|it| &mut it.responses.responses) {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            let (name, header) = idempotency::documented();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
}

/// Gives a description, which each answer must have, to those of which nothing is to be said but their status.
fn answers(document: &mut Document) {
    let operations = document.paths.paths.values_mut().flat_map(operations_mut);
    for (status, response) in operations.flat_map(|it| &mut it.responses.responses) {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let status = status.parse().ok();
            let reason = status.and_then(|it: StatusCode| it.canonical_reason());
            reason
                .unwrap_or("Done")
                .clone_into(&mut response.description);
        }
    }
}

/// Names what lists hold by its name, so that generated clients have one type for it.
fn lists(document: &mut Document) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    let names: Vec<_> = schemas.keys().cloned().collect();
    for (name, list) in schemas.iter_mut() {
        let held = name
            .strip_prefix("Page_")
            .or_else(|| name.strip_prefix("List_"));
        let held = held.filter(|held| names.iter().any(|name| name == held));
        if let Some(held) = held
            && let RefOr::T(Schema::Object(list)) = list
            && let Some(RefOr::T(Schema::Array(data))) = list.properties.get_mut("data")
        {
            let held = Ref::from_schema_name(held);
            data.items = ArrayItems::RefOrSchema(Box::new(held.into()));
        }
    }
}

/// Says of the cursors of all lists what they look like.
fn cursors(document: &mut Document) {
    let lists = document.paths.paths.values_mut();
    let parameters = lists.filter_map(|path| path.get.as_mut()?.parameters.as_mut());
    for parameter in parameters.flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "cursor"
            && parameter.parameter_in == ParameterIn::Query
            && let Some(RefOr::T(Schema::Object(cursor))) = &mut parameter.schema
        {
            cursor.pattern = Some("^[A-Za-z0-9_-]+$".to_owned());
        }
    }
}

/// Says of operations for everyone that they take no credential at all, which tools read from an empty list alone.
fn open_operations(document: &mut Document) {
    for operation in document.paths.paths.values_mut().flat_map(operations_mut) {
        let is_open = |it: &Vec<SecurityRequirement>| *it == [SecurityRequirement::default()];
        if operation.security.as_ref().is_some_and(is_open) {
            operation.security = Some(Vec::new());
        }
    }
}

/// Says of operations without parameters that they refuse those that they are sent.
fn unknown_parameters(document: &mut Document) {
    let paths = document.paths.paths.iter_mut();
    let ours = paths.filter(|(path, _)| path.starts_with(BASE));
    for operation in ours.flat_map(|(_, item)| operations_mut(item)) {
        let refused = || Ref::from_response_name("ValidationFailed").into();
        let responses = &mut operation.responses.responses;
        responses.entry("422".to_owned()).or_insert_with(refused);
    }
}

/// The operations of a path.
pub(crate) fn operations_mut(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut path.get,
        &mut path.post,
        &mut path.patch,
        &mut path.put,
        &mut path.delete,
    ]
    .into_iter()
    .flatten()
}
