//! Bodies of requests: bounded in size and time, and read into domain commands.

mod blame;
mod inflate;
mod media;

pub(crate) use blame::{escape, malformed, parse, valid};
pub(crate) use inflate::{inflate, inflate_whole};
pub(crate) use media::{Coding, media_type, require_plain};

use crate::problem::{Problem, ProblemKind};
use actix_web::{
    FromRequest, HttpRequest, dev,
    http::header,
    web::{Bytes, BytesMut},
};
use futures_util::{StreamExt, future::LocalBoxFuture};
use media::require_json;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Most bytes of a body that is no batch of readings.
const JSON_LIMIT: usize = 64 * 1024;

/// How long a body may take to arrive, however small it is.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the body of a request is read into.
pub(crate) trait FromBody: Sized {
    /// Most bytes of it.
    const LIMIT: usize;

    /// Refuses a request whose headers say that its body is something else.
    fn expect(request: &HttpRequest) -> Result<(), Problem>;

    /// Reads the whole body.
    fn from_body(request: &HttpRequest, body: &[u8]) -> Result<Self, Problem>;
}

/// A JSON body that is a valid `T`.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromBody for Json<T> {
    const LIMIT: usize = JSON_LIMIT;

    fn expect(request: &HttpRequest) -> Result<(), Problem> {
        require_json(request)
    }

    fn from_body(_: &HttpRequest, body: &[u8]) -> Result<Self, Problem> {
        parse(body).map(Self)
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            Self::expect(&request)?;
            let body = read(&request, payload, Self::LIMIT, |_| Ok(())).await?;
            Self::from_body(&request, &body)
        })
    }
}

/// A JSON body that may be left out, which is the default `T`.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read(&request, payload, JSON_LIMIT, |_| Ok(())).await?;
            if body.is_empty() || body.trim_ascii() == b"null" {
                return Ok(Self(T::default()));
            }
            require_json(&request)?;
            parse(&body).map(Self)
        })
    }
}

/// Reads a body to its end, within a limit of bytes and a deadline; `take` is asked for room for the
/// bytes of each piece, and may refuse them.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: dev::Payload,
    limit: usize,
    take: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let body = collect(payload, declared.unwrap_or(0), limit, take);
    tokio::time::timeout(DEADLINE, body)
        .await
        .unwrap_or_else(|_| Err(Problem::new(ProblemKind::RequestTimeout)))
}

async fn collect(
    mut payload: dev::Payload,
    expected: usize,
    limit: usize,
    mut take: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    let mut body = BytesMut::with_capacity(expected.min(limit));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(ProblemKind::MalformedRequest))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        take(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn too_large(limit: usize) -> Problem {
    Problem::with_detail(
        ProblemKind::PayloadTooLarge,
        format!("The body must have at most {limit} bytes."),
    )
}
