//! Identifiers in paths. One that is malformed names nothing, so it is not found.

use crate::problem::{Problem, ProblemKind};
use actix_web::{FromRequest, HttpRequest, dev};
use std::{
    future::{Ready, ready},
    str::FromStr,
};

/// The identifier `{id}` of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: FromStr> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let id = request
            .match_info()
            .get("id")
            .and_then(|text| text.parse().ok());
        ready(
            id.map(Self)
                .ok_or_else(|| Problem::new(ProblemKind::NotFound)),
        )
    }
}
