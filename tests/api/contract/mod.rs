//! What holds of all operations alike: methods, headers, conditions, codings, parameters, and who may ask from where.

mod cors;
mod encoding;
mod headers;
mod link;
mod merge_patch;
mod method;
mod precondition;
mod query;
mod tag;

use reqwest::Method;

use crate::support::{Document, Operation};

/// Those operations of the document that are asked for with this method.
fn of_method<'a>(document: &'a Document, method: &str) -> Vec<Operation<'a>> {
    let operations = document.operations().into_iter();
    operations.filter(|it| it.method == method).collect()
}

fn method(name: &str) -> Method {
    name.parse().unwrap()
}
