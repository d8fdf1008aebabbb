//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): what is asked for is done once, and whoever
//! asks again with the same key within a day gets the same answer.

use crate::{
    auth::api_key_of,
    body::{FromBody, read},
    problem::{FieldError, Problem, ProblemKind},
    state::AppState,
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder,
    body::MessageBody,
    dev,
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};
use domain::{
    idempotency::{Attempt, Caller, Fingerprint, IdempotencyKey, IdempotencyKeyError},
    seal::{NONCE, Sealer},
};
use futures_util::future::LocalBoxFuture;
use persistence::{
    StoreError,
    idempotency::{KeepError, Kept, Once, Outcome},
    session::OwnerId,
};
use utoipa::openapi::header::{Header, HeaderBuilder};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What answers are sealed for.
const PURPOSE: &str = "idempotent answer";

/// The header of operations that are done once for their key.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header in the document")]
pub(crate) struct IdempotencyHeader {
    /// What you call this request, for example a new UUID: then it is done once, however often you send it. Whoever
    /// sends the same again within 24 hours gets the same answer, with `Idempotency-Replayed: true`. An answer of
    /// 4xx or 5xx is not kept, and the request may be tried again with the same key.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]{1,255}$"
    )]
    idempotency_key: Option<String>,
}

/// The header of an answer that was kept, for the document.
pub(crate) fn documented() -> (&'static str, Header) {
    let header = HeaderBuilder::new().description(Some(
        "`true` where the request was done before, and this is the answer that was kept; else absent",
    ));
    ("Idempotency-Replayed", header.build())
}

/// A body, and what its sender calls the request.
#[derive(Debug)]
pub(crate) struct Idempotent<B> {
    pub(crate) body: B,
    pub(crate) claim: Option<Claim>,
}

/// That a request is to be done once.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    caller: Caller,
    key: IdempotencyKey,
    fingerprint: Fingerprint,
}

impl<B: FromBody + 'static> FromRequest for Idempotent<B> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let key = key(request.headers())?;
            B::expect(&request)?;
            let body = read(&request, payload, B::LIMIT, |_| Ok(())).await?;
            let (method, path) = (request.method().as_str(), request.path());
            let claim = key.map(|key| Claim {
                caller: api_key_of(&request).map_or(Caller::Session, Caller::ApiKey),
                key,
                fingerprint: Fingerprint::of(method, path, &body),
            });
            let body = B::from_body(&request, &body)?;
            Ok(Self { body, claim })
        })
    }
}

/// The key of a request, if it has one.
fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let invalid = |detail: String| {
        let error = FieldError::at_parameter("Idempotency-Key", "invalid_value", detail);
        Problem::invalid(error)
    };
    if values.next().is_some() {
        return Err(invalid("must be given once".to_owned()));
    }
    let text = value.to_str().map_err(|_| IdempotencyKeyError);
    let key = text.and_then(IdempotencyKey::parse);
    key.map(Some).map_err(|error| invalid(error.to_string()))
}

/// Seals and opens the answers to one request, or to a part of one.
pub(crate) struct Vault<'a> {
    sealer: &'a Sealer,
    owner: OwnerId,
    pub(crate) attempt: Option<Attempt>,
}

impl<'a> Vault<'a> {
    /// That of a request.
    pub(crate) fn new(state: &'a AppState, owner: OwnerId, claim: Option<&Claim>) -> Self {
        let attempt = |it: &Claim| Attempt::new(it.caller, &it.key, it.fingerprint);
        Self {
            sealer: &state.sealer,
            owner,
            attempt: claim.map(attempt),
        }
    }

    /// That of a part of the request.
    pub(crate) fn part(&self, number: u32) -> Self {
        let attempt = self.attempt.map(|it| it.part(number));
        Self { attempt, ..*self }
    }

    /// What an answer belongs to, so that it cannot be read in the place of another.
    fn context(&self) -> Vec<u8> {
        let id = self.attempt.as_ref().map_or(&[][..], |it| it.id());
        [self.owner.user_id().0.as_bytes(), id].concat()
    }

    pub(crate) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, KeepError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        let sealed = self.sealer.seal(PURPOSE, &self.context(), plain, nonce)?;
        Ok(sealed)
    }

    pub(crate) fn open(&self, kept: &Kept) -> Result<Vec<u8>, Problem> {
        let opened = self.sealer.open(PURPOSE, &self.context(), &kept.sealed);
        // Another instance may have another AUTH_SECRET, while that changes: one that has it can tell.
        let opened =
            opened.map_err(|error| Problem::new(ProblemKind::Unavailable).because(error))?;
        Ok(opened.plain)
    }
}

/// Does what a request asks for, once where it has a key, and answers it as it is answered every time.
///
/// `work` does it; what it came to is either `taken` for what was made, which has an `answer`, or a problem.
pub(crate) async fn once<T, R>(
    vault: &Vault<'_>,
    answer: impl Fn(&T) -> HttpResponse,
    work: impl AsyncFnOnce(&Once<'_, T>) -> Result<Outcome<R>, StoreError>,
    taken: impl FnOnce(R) -> Result<T, Problem>,
) -> Result<HttpResponse, Problem> {
    let keep = |made: &T| vault.seal(&write(answer(made))?);
    let once = Once {
        attempt: vault.attempt,
        keep: &keep,
        since: None,
    };
    match work(&once).await? {
        Outcome::Done(result) => taken(result).map(|made| answer(&made)),
        Outcome::Kept(kept) => replay(&vault.open(&kept)?),
        Outcome::InFlight => Err(Problem::new(ProblemKind::IdempotencyInFlight)),
        Outcome::Mismatch => Err(Problem::new(ProblemKind::IdempotencyMismatch)),
    }
}

/// Says that an answer was kept.
pub(crate) fn mark_replayed(response: &mut HttpResponse) {
    let yes = HeaderValue::from_static("true");
    response.headers_mut().insert(REPLAYED, yes);
}

/// Status and headers of an answer.
type Head = (u16, Vec<(String, String)>);

/// Writes an answer: its head as a line of JSON, then the body.
fn write(response: HttpResponse) -> Result<Vec<u8>, KeepError> {
    let (response, body) = response.into_parts();
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned())));
    let headers = headers.collect::<Result<Vec<_>, KeepError>>()?;
    let head: Head = (response.status().as_u16(), headers);
    let body = body.try_into_bytes();
    let body = body.map_err(|_| "an answer that is streamed cannot be kept")?;
    let mut text = serde_json::to_vec(&head)?;
    text.push(b'\n');
    text.extend(body);
    Ok(text)
}

/// Reads what [`write()`] wrote.
fn replay(text: &[u8]) -> Result<HttpResponse, Problem> {
    let internal = || Problem::new(ProblemKind::Internal);
    let end = text.iter().position(|byte| *byte == b'\n');
    let (head, body) = end
        .and_then(|it| text.split_at_checked(it))
        .ok_or_else(internal)?;
    let (status, headers): Head =
        serde_json::from_slice(head).map_err(|error| internal().because(error))?;
    let status = StatusCode::from_u16(status).map_err(|error| internal().because(error))?;
    let mut response = HttpResponseBuilder::new(status);
    for header in headers {
        response.insert_header(header);
    }
    let body = body.strip_prefix(b"\n").unwrap_or(body).to_vec();
    let mut response = response.body(body);
    mark_replayed(&mut response);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{
        http::header::{CACHE_CONTROL, CONTENT_TYPE},
        test::TestRequest,
    };

    fn key_of(values: &[&str]) -> Result<Option<IdempotencyKey>, String> {
        let mut request = TestRequest::post();
        for value in values {
            request = request.append_header((IDEMPOTENCY_KEY, *value));
        }
        key(request.to_http_request().headers()).map_err(|it| it.to_string())
    }

    #[test]
    fn a_key_is_optional_and_given_once() {
        assert_eq!(key_of(&[]), Ok(None));
        assert_eq!(
            key_of(&["a"]),
            Ok(Some(IdempotencyKey::parse("a").unwrap()))
        );
        for values in [&[""][..], &["a b"], &["é"], &["a", "a"]] {
            let problem = key_of(values).unwrap_err();
            assert!(problem.contains("Idempotency-Key must"), "{problem}");
        }
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        for body in ["", "\n", "{\"a\":\"é\"}\n\n"] {
            let made = HttpResponse::Created()
                .insert_header((CACHE_CONTROL, "no-store"))
                .content_type("application/json")
                .body(body.to_owned());
            let again = replay(&write(made).unwrap()).unwrap();
            assert_eq!(again.status(), StatusCode::CREATED);
            for (name, value) in [
                (CACHE_CONTROL, "no-store"),
                (CONTENT_TYPE, "application/json"),
                (REPLAYED, "true"),
            ] {
                assert_eq!(again.headers().get(name).unwrap(), value);
            }
            assert_eq!(again.into_body().try_into_bytes().unwrap(), body);
        }
    }

    #[test]
    fn nonsense_is_no_answer() {
        for text in ["", "x", "[200,[]]", "[1,[]]\n", "{}\n"] {
            assert!(replay(text.as_bytes()).is_err(), "{text}");
        }
    }
}
