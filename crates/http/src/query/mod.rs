//! Query parameters, read into a type that refuses what it does not know.

mod unasked;

pub(crate) use unasked::{of_public_operations, refuse_unasked};

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

/// Refuses what only pages have: a stream has everything, and where it ends there is no more.
pub(crate) fn refuse_for_streams(parameters: [(&'static str, bool); 2]) -> Result<(), Problem> {
    match parameters.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => {
            let detail = "is for pages of JSON; a stream has everything";
            let error = FieldError::at_parameter(name, "not_for_streams", detail.to_owned());
            Err(Problem::invalid(error))
        }
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
        ["unsupported", "value"] => {
            FieldError::at_parameter(name, "invalid_value", "must be given once".to_owned())
        }
        ["invalid", "digit"] | ["number", "too"] | ["cannot", "parse"] => {
            FieldError::at_parameter(name, "invalid_value", "must be a whole number".to_owned())
        }
        ["unknown", "variant"] | ["invalid", "value:"] => {
            let known = message.split("expected ").last().unwrap_or_default();
            let known = known.replace('`', "").replace("\"true\", \"on\"", "true");
            let known = known.replace("one of ", "").replace("\"false\"", "false");
            FieldError::at_parameter(name, "invalid_value", format!("must be one of: {known}"))
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
        #[serde(default)]
        points: Option<u32>,
        #[serde(default)]
        atomic: bool,
        order: Option<Order>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Asc,
        Desc,
    }

    #[test]
    fn lists_are_repeated_and_defaults_hold() {
        let parameters: Parameters = parse("metric=a&metric=b").unwrap();
        assert_eq!((parameters.limit.get(), parameters.metric.len()), (50, 2));
        assert!(parameters.points.is_none() && !parameters.atomic && parameters.order.is_none());
        assert!(parse::<Parameters>("").unwrap().metric.is_empty());
        assert_eq!(parse::<Parameters>("limit=500").unwrap().limit.get(), 500);
    }

    #[test]
    fn the_parameter_to_blame_is_named() {
        for (query, words) in [
            ("limit=0", "limit must be a whole number from 1 to 500"),
            ("limit=x", "limit "),
            ("surprise=1", "surprise is not a parameter"),
            ("points=x", "points must be a whole number"),
            ("points=-1", "points must be a whole number"),
            ("points=5000000000", "points must be a whole number"),
            ("points=1&points=2", "points must be given once"),
            ("atomic=1", "atomic must be one of: true or false"),
            ("order=up", "order must be one of: asc"),
        ] {
            let problem = parse::<Parameters>(query).unwrap_err().to_string();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
