//! Query parameters, read into a type that refuses what it does not know.

use crate::problem::{FieldError, Problem};
use actix_web::{FromRequest, HttpRequest, dev};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// Query parameters that are a valid `T`. Repeated parameters make a list.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// The parameters of a request, for a handler that asks for something else first.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        parse(request.query_string()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let deserializer = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        Problem::invalid(blame(&path, &error.inner().to_string()))
    })
}

/// Turns what serde says of a parameter into our words.
fn blame(path: &str, message: &str) -> FieldError {
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let name = path.split(['.', '[']).next().unwrap_or_default();
    match message.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["unknown", "field"] => FieldError::at_parameter(
            quoted,
            "unknown_parameter",
            "is not a parameter that is known here".to_owned(),
        ),
        ["missing", "field"] => {
            FieldError::at_parameter(quoted, "missing_parameter", "is missing".to_owned())
        }
        ["UUID", _] => FieldError::at_parameter(name, "invalid_value", "must be a UUID".to_owned()),
        _ => FieldError::at_parameter(name, "invalid_value", message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::page::PageLimit;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        #[serde(default)]
        limit: PageLimit,
        #[serde(default)]
        metric: Vec<String>,
    }

    #[test]
    fn lists_are_repeated_and_defaults_hold() {
        let parameters: Parameters = parse("metric=a&metric=b").unwrap();
        assert_eq!((parameters.limit.get(), parameters.metric.len()), (50, 2));
        assert!(parse::<Parameters>("").unwrap().metric.is_empty());
        assert_eq!(parse::<Parameters>("limit=500").unwrap().limit.get(), 500);
    }

    #[test]
    fn the_parameter_to_blame_is_named() {
        for (query, words) in [
            ("limit=0", "limit must be a whole number from 1 to 500"),
            ("limit=x", "limit "),
            ("surprise=1", "surprise is not a parameter"),
        ] {
            let problem = parse::<Parameters>(query).unwrap_err().to_string();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
