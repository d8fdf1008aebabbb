//! The OpenAPI document, as far as tests ask it.

use serde_json::Value;

use super::Client;

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// The document that a running server publishes.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Value,
}

/// One operation of it.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    pub(crate) id: &'a str,
    pub(crate) body: &'a Value,
}

impl Document {
    pub(crate) async fn fetch(client: &Client) -> Self {
        let answer = client.at_root().get("/api/openapi.json").await;
        Self {
            root: answer.expect(200).body,
        }
    }

    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.root["paths"].as_object().expect("paths");
        let all = paths.iter().flat_map(|(path, item)| {
            let item = item.as_object().expect("a path item").iter();
            let methods = item.filter(|(method, _)| METHODS.contains(&method.as_str()));
            methods.map(move |(method, body)| Operation {
                path,
                method,
                id: body["operationId"].as_str().unwrap_or_default(),
                body,
            })
        });
        all.collect()
    }

    /// Follows `$ref`s to the thing itself.
    pub(crate) fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(target) = value["$ref"].as_str() {
            let pointer = target.trim_start_matches('#');
            value = self
                .root
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{target} leads nowhere"));
        }
        value
    }
}

impl Operation<'_> {
    /// `POST /api/v1/devices (device_create)`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {} ({})", self.method.to_uppercase(), self.path, self.id)
    }
}
