//! Links of the document: what may be asked next with what an operation has answered.
//!
//! They follow from the paths: what stands below `/things/{id}` is asked with the `id` that `POST /things` and
//! `GET /things` answer, and the next page of a list with its `next_cursor`.

use super::describe::operations_mut;
use utoipa::openapi::{
    OpenApi, PathItem, RefOr, Response,
    link::Link,
    path::{Operation, Parameter, ParameterIn},
};

/// Operations that make or list things which live below another path: the operation, where its answer has the
/// identifier, and the path of what it identifies.
const ELSEWHERE: [(&str, &str, &str); 4] = [
    (
        "alert_rule_create",
        "$response.body#/id",
        "/api/v1/alert-rules/{id}",
    ),
    (
        "alert_rule_list",
        "$response.body#/data/0/id",
        "/api/v1/alert-rules/{id}",
    ),
    (
        "alert_list",
        "$response.body#/data/0/rule_id",
        "/api/v1/alert-rules/{id}",
    ),
    (
        "alert_list",
        "$response.body#/data/0/device_id",
        "/api/v1/devices/{id}",
    ),
];

/// Adds its links to the answers of each operation.
pub(super) fn describe(document: &mut OpenApi) {
    let mut links: Vec<(String, Link)> = Vec::new();
    for (path, item) in &document.paths.paths {
        if let Some(list) = item.get.as_ref().filter(|it| takes(it, "cursor")) {
            links.extend(next_page(path, list));
        }
        if let Some((collection, _)) = path.split_once("/{id}") {
            let things = document.paths.paths.get(collection);
            links.extend(things.into_iter().flat_map(|it| below(it, item)));
        }
    }
    for (from, id, base) in ELSEWHERE {
        let items = &document.paths.paths;
        let items = items.iter().filter(|(path, _)| path.starts_with(base));
        links.extend(items.flat_map(|(_, item)| links_to(from, id, item)));
    }
    for (from, link) in links {
        add(document, &from, &link);
    }
}

/// From whatever makes or lists things to what may be asked about one of them.
fn below(things: &PathItem, item: &PathItem) -> Vec<(String, Link)> {
    let made = things.post.as_ref().map(|it| (it, "$response.body#/id"));
    let listed = things
        .get
        .as_ref()
        .map(|it| (it, "$response.body#/data/0/id"));
    let ways = made.into_iter().chain(listed);
    ways.filter_map(|(from, id)| Some((from.operation_id.as_deref()?, id)))
        .flat_map(|(from, id)| links_to(from, id, item))
        .collect()
}

/// From an operation to all of a path, with the identifier in the answer.
fn links_to(from: &str, id: &str, item: &PathItem) -> Vec<(String, Link)> {
    let to = operations(item).filter_map(|it| it.operation_id.as_deref());
    to.map(|to| {
        let link = Link::builder().operation_id(to).parameter("id", id);
        (from.to_owned(), link.build())
    })
    .collect()
}

/// From a page of a list to the next one.
fn next_page(path: &str, list: &Operation) -> Option<(String, Link)> {
    let id = list.operation_id.as_deref()?;
    let mut link = Link::builder()
        .operation_id(id)
        .parameter("cursor", "$response.body#/next_cursor");
    if path.contains("{id}") {
        link = link.parameter("id", "$request.path.id");
    }
    // The same list: with what it is narrowed to, and in its order.
    let others = list.parameters.iter().flatten().filter_map(by_value);
    let others = others.filter(|it| it.parameter_in == ParameterIn::Query && it.name != "cursor");
    for other in others {
        let value = format!("$request.query.{}", other.name);
        link = link.parameter(other.name.clone(), value);
    }
    Some((id.to_owned(), link.build()))
}

fn takes(operation: &Operation, parameter: &str) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter_map(by_value)
        .any(|it| it.name == parameter && it.parameter_in == ParameterIn::Query)
}

fn by_value(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = &Operation> {
    [&item.get, &item.post, &item.patch, &item.put, &item.delete]
        .into_iter()
        .flatten()
}

/// Puts a link, which is named after where it leads, into the successful answers of an operation.
fn add(document: &mut OpenApi, from: &str, link: &Link) {
    let operations = document.paths.paths.values_mut().flat_map(operations_mut);
    let mut operations = operations.filter(|it| it.operation_id.as_deref() == Some(from));
    let answers = operations
        .next()
        .into_iter()
        .flat_map(|it| &mut it.responses.responses);
    for (status, response) in answers {
        if let RefOr::T(response) = response
            && is_json(status, response)
        {
            let name = link.operation_id.clone();
            response.links.insert(name, link.clone().into());
        }
    }
}

fn is_json(status: &str, response: &Response) -> bool {
    status.starts_with('2') && response.content.contains_key("application/json")
}

#[cfg(test)]
mod tests {
    use crate::openapi::document;
    use serde_json::Value;

    fn link(path: &str, method: &str, status: &str, to: &str) -> Value {
        let document = serde_json::to_value(document()).unwrap();
        let responses = &document["paths"][path][method]["responses"];
        responses[status]["links"][to].clone()
    }

    #[test]
    fn what_was_made_can_be_asked_for() {
        let shown = link("/api/v1/devices", "post", "201", "device_show");
        assert_eq!(shown["operationId"], "device_show");
        assert_eq!(shown["parameters"]["id"], "$response.body#/id");
        let path = "/api/v1/devices/{id}/alert-rules";
        let deleted = link(path, "post", "201", "alert_rule_delete");
        assert_eq!(deleted["parameters"]["id"], "$response.body#/id");
    }

    #[test]
    fn what_was_listed_can_be_asked_for_and_so_can_the_next_page() {
        let shown = link("/api/v1/alerts", "get", "200", "alert_timeline");
        assert_eq!(shown["parameters"]["id"], "$response.body#/data/0/id");
        let path = "/api/v1/devices/{id}/readings";
        let next = link(path, "get", "200", "reading_list");
        let parameters = &next["parameters"];
        assert_eq!(parameters["cursor"], "$response.body#/next_cursor");
        assert_eq!(parameters["id"], "$request.path.id");
        assert_eq!(parameters["order"], "$request.query.order");
    }
}
