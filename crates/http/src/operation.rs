//! The paths and operations of the document, for those who deal with requests before they are routed.

use crate::openapi::document;
use actix_web::dev::{ResourceDef, Url};
use std::sync::LazyLock;
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{self, ParameterIn, PathItem},
};

/// What the document says of an operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    method: &'static str,
    /// Whether it has query parameters.
    pub(crate) takes_query: bool,
    /// Whether it needs no credential.
    pub(crate) is_public: bool,
}

/// A path, and what can be done with it.
struct Known {
    pattern: ResourceDef,
    operations: Vec<Operation>,
    methods: String,
}

/// The paths that there are. Those without variables come first, so that none is taken for a name in another.
static PATHS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut known = documented(&document());
    let pages = ["/docs", "/docs/{file}*", "/api/openapi.json"];
    known.extend(pages.map(|path| Known {
        pattern: ResourceDef::new(path),
        operations: Vec::new(),
        methods: "GET, HEAD, OPTIONS".to_owned(),
    }));
    known.sort_by_key(|it| !it.pattern.is_static());
    known
});

trait IsStatic {
    fn is_static(&self) -> bool;
}

impl IsStatic for ResourceDef {
    fn is_static(&self) -> bool {
        self.pattern().is_some_and(|pattern| !pattern.contains('{'))
    }
}

fn documented(document: &OpenApi) -> Vec<Known> {
    let known = |(path, item): (&String, &PathItem)| {
        let operations = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PATCH", &item.patch),
            ("PUT", &item.put),
            ("DELETE", &item.delete),
        ];
        let operations = operations.into_iter();
        let operations: Vec<_> = operations
            .filter_map(|(method, operation)| Some(read(method, operation.as_ref()?)))
            .collect();
        Known {
            pattern: ResourceDef::new(path.as_str()),
            methods: methods(&operations),
            operations,
        }
    };
    document.paths.paths.iter().map(known).collect()
}

fn read(method: &'static str, operation: &path::Operation) -> Operation {
    let parameters = operation.parameters.iter().flatten();
    let in_query = |parameter: &RefOr<path::Parameter>| match parameter {
        RefOr::T(parameter) => matches!(parameter.parameter_in, ParameterIn::Query),
        // What is said in one place is of headers.
        RefOr::Ref(_) => false,
    };
    let security = operation.security.as_deref();
    Operation {
        id: operation.operation_id.clone().unwrap_or_default(),
        method,
        takes_query: parameters.into_iter().any(in_query),
        is_public: security.is_some_and(<[_]>::is_empty),
    }
}

/// The methods of a path: what is read can be asked for without its body, and any can be asked what it has.
fn methods(operations: &[Operation]) -> String {
    let mut methods = Vec::new();
    for operation in operations {
        methods.push(operation.method);
        if operation.method == "GET" {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn known(path: &str) -> Option<&'static Known> {
    if path.contains('%') {
        // As the router reads it.
        let url = Url::new(path.parse().ok()?);
        return PATHS.iter().find(|it| it.pattern.is_match(url.path()));
    }
    PATHS.iter().find(|it| it.pattern.is_match(path))
}

/// The methods that a path has, if there is such a path.
pub(crate) fn methods_of(path: &str) -> Option<&'static str> {
    known(path).map(|it| it.methods.as_str())
}

/// The operation of this path and method.
pub(crate) fn find(path: &str, method: &str) -> Option<&'static Operation> {
    let method = if method == "HEAD" { "GET" } else { method };
    let operations = &known(path)?.operations;
    operations.iter().find(|it| it.method == method)
}

/// Every operation.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    PATHS.iter().flat_map(|it| &it.operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_know_their_methods() {
        for (path, methods) in [
            ("/api/v1/devices", Some("GET, HEAD, POST, OPTIONS")),
            (
                "/api/v1/devices/x",
                Some("GET, HEAD, PATCH, DELETE, OPTIONS"),
            ),
            ("/api/v1/readings", Some("POST, OPTIONS")),
            ("/api/v1/%72eadings", Some("POST, OPTIONS")),
            ("/docs/index.html", Some("GET, HEAD, OPTIONS")),
            ("/api/v1/device", None),
        ] {
            assert_eq!(methods_of(path), methods, "{path}");
        }
    }

    #[test]
    fn operations_know_what_they_take() {
        for (path, method, expected) in [
            ("/api/v1/devices", "GET", Some((true, false))),
            ("/api/v1/devices", "HEAD", Some((true, false))),
            ("/api/v1/devices", "POST", Some((false, false))),
            ("/api/v1/readings", "POST", Some((true, false))),
            ("/api/v1/auth/sign-in", "POST", Some((false, true))),
            ("/health/live", "GET", Some((false, true))),
            ("/health/live", "POST", None),
        ] {
            let found = find(path, method).map(|it| (it.takes_query, it.is_public));
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
