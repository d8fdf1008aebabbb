//! Around every request: an identifier, a span, one line of log, figures, and the last word on
//! problems.

use crate::{
    auth::brings_api_key,
    compress,
    headers::Headers,
    operation::methods_of,
    problem::{PROBLEM_JSON, Problem, ProblemKind},
};
use actix_web::{
    Error, HttpResponse,
    body::{self, BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN},
    },
    middleware::Next,
    web::Data,
};
use std::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

/// The route of a path that there is not.
const UNKNOWN: &str = "unknown";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How a thing may be patched (RFC 5789, section 3.1).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

const PATCHES: HeaderValue =
    HeaderValue::from_static("application/merge-patch+json, application/json");

/// What is known of a request before it is routed.
struct Asked {
    id: String,
    method: Method,
    path: String,
    /// Whose page asks, where a browser says so.
    origin: Option<HeaderValue>,
    headers: Option<Data<Headers>>,
    started: Instant,
}

/// Runs the rest of the service in a task of its own, in a span, and finishes its answer.
///
/// A client that hangs up drops the future that answers it. Work that has begun is not to be cut
/// in the middle of a transaction, so it goes on in the task.
pub(crate) async fn observe(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asked = Asked {
        id: request_id(&request),
        method: request.method().clone(),
        path: request.path().to_owned(),
        origin: request.headers().get(ORIGIN).cloned(),
        headers: request.app_data::<Data<Headers>>().cloned(),
        started: Instant::now(),
    };
    if asked.method == Method::HEAD {
        // Whoever answers GET answers it; the server leaves out the body.
        request.head_mut().method = Method::GET;
    }
    let span = tracing::info_span!(
        "request",
        request_id = %asked.id,
        http.method = %asked.method,
        http.route = tracing::field::Empty,
        caller = caller_kind(&request),
    );
    let options = (asked.method == Method::OPTIONS).then(|| asked.options(request.headers()));
    let work = async move {
        if let Some(response) = options {
            return Ok(ServiceResponse::new(request.into_parts().0, response));
        }
        let response = next.call(request).await?.map_into_boxed_body();
        let (request, response) = response.into_parts();
        let response = compress::pack(response).await;
        Ok::<_, Error>(ServiceResponse::new(request, response))
    };
    let outcome = actix_web::rt::spawn(work.instrument(span.clone()))
        .await
        .unwrap_or_else(|panic| Err(Problem::new(ProblemKind::Internal).because(panic).into()));

    let _entered = span.enter();
    match outcome {
        Ok(response) => {
            let (request, response) = response.into_parts();
            let route = request
                .match_pattern()
                .unwrap_or_else(|| UNKNOWN.to_owned());
            span.record("http.route", route.as_str());
            let response = asked.finish(response, &route);
            Ok(ServiceResponse::new(request, response))
        }
        Err(error) => {
            let response = asked.finish(HttpResponse::from_error(error), UNKNOWN);
            Err(InternalError::from_response("answered", response).into())
        }
    }
}

impl Asked {
    /// Gives every failure the form of a problem, adds the identifier, and takes note.
    fn finish(&self, response: HttpResponse, route: &str) -> HttpResponse {
        let mut response = match problem(&response, &self.method, &self.path) {
            Some(problem) => {
                log_cause(&problem);
                problem.respond(&self.path, &self.id)
            }
            None => response,
        };
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if let Some(headers) = &self.headers {
            let asked = (
                self.origin.as_ref(),
                self.path.as_str(),
                self.method.as_str(),
            );
            headers.finish(asked, response.headers_mut());
        }
        if self.method == Method::PATCH && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            response.headers_mut().insert(ACCEPT_PATCH, PATCHES);
        }
        self.record(route, response.status());
        if self.method == Method::HEAD && response.body().size() == BodySize::Stream {
            // Nobody will read it.
            return response.set_body(BoxBody::new(body::None::new()));
        }
        response
    }

    /// What can be done with a path; for browsers, also what their pages may do.
    fn options(&self, request: &HeaderMap) -> HttpResponse {
        let known = methods_of(&self.path);
        // The service as a whole (RFC 9110, section 9.3.7).
        let whole = (self.path == "*").then_some("GET, HEAD, POST, PATCH, DELETE, OPTIONS");
        let Some(methods) = known.or(whole) else {
            return HttpResponse::from_error(Problem::new(ProblemKind::NotFound));
        };
        let mut response = HttpResponse::NoContent();
        response.insert_header((ALLOW, methods));
        if known.is_some_and(|methods| methods.contains("PATCH")) {
            response.insert_header((ACCEPT_PATCH, PATCHES));
        }
        let mut response = response.finish();
        if let Some(headers) = &self.headers {
            let origins = &headers.origins;
            origins.preflight(request, methods, response.headers_mut());
        }
        response
    }

    fn record(&self, route: &str, status: StatusCode) {
        let duration = self.started.elapsed();
        let labels = [
            ("method", method_label(&self.method)),
            ("route", route.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        metrics::histogram!("readout_http_request_seconds", &labels).record(duration);
        let (status, duration_ms) = (status.as_u16(), duration.as_millis());
        if route.starts_with("/health") || route.starts_with("/metrics") {
            tracing::debug!(http.status = status, duration_ms, "request");
        } else {
            tracing::info!(http.status = status, duration_ms, "request");
        }
    }
}

/// A method that clients make up does not make up a time series.
fn method_label(method: &Method) -> String {
    let known = [
        Method::GET,
        Method::POST,
        Method::PATCH,
        Method::DELETE,
        Method::PUT,
        Method::HEAD,
        Method::OPTIONS,
    ];
    if known.contains(method) {
        method.to_string()
    } else {
        "other".to_owned()
    }
}

/// The identifier that the caller chose, if it is harmless, or a new one.
fn request_id(request: &ServiceRequest) -> String {
    let harmless = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    given
        .filter(harmless)
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// What kind of credential a request brings; never the credential.
fn caller_kind(request: &ServiceRequest) -> &'static str {
    match (
        request.headers().contains_key("X-Device-Key"),
        request.headers().contains_key("Authorization"),
    ) {
        (true, _) => "device",
        (false, true) if brings_api_key(request.headers()) => "api_key",
        (false, true) => "user",
        (false, false) => "anonymous",
    }
}

/// The problem that a failure is, whoever found it.
fn problem(response: &HttpResponse, method: &Method, path: &str) -> Option<Problem> {
    if let Some(found) = response
        .error()
        .and_then(|error| error.as_error::<Problem>())
    {
        // A path may have a name where others have an identifier, and not all of their methods.
        let is_lost = found.kind() == ProblemKind::NotFound;
        return not_allowed(method, path)
            .filter(|_| is_lost)
            .or(Some(found.clone()));
    }
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    let failed = status.is_client_error() || status.is_server_error();
    (failed && !is_problem).then(|| foreign(status, method, path))
}

/// What is told where the path is known and has other methods.
fn not_allowed(method: &Method, path: &str) -> Option<Problem> {
    let methods = methods_of(path)?;
    let is_there = methods.split(", ").any(|it| it == method.as_str());
    let problem = || Problem::new(ProblemKind::MethodNotAllowed).allowing(methods.to_owned());
    (!is_there).then(problem)
}

/// A failure that the framework found before any handler of ours.
fn foreign(status: StatusCode, method: &Method, path: &str) -> Problem {
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let not_found = || Problem::new(ProblemKind::NotFound);
            not_allowed(method, path).unwrap_or_else(not_found)
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemKind::PayloadTooLarge),
        StatusCode::REQUEST_TIMEOUT => Problem::new(ProblemKind::RequestTimeout),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(ProblemKind::UnsupportedMediaType),
        status if status.is_client_error() => Problem::new(ProblemKind::MalformedRequest),
        _ => Problem::new(ProblemKind::Internal),
    }
}

/// Writes down what the client is not told. This is the only place where a cause is logged.
pub(crate) fn log_cause(problem: &Problem) {
    if let Some(cause) = problem.cause() {
        let causes = std::iter::successors(cause.source(), |cause| cause.source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        let code = problem.kind().code();
        if problem.kind().status().is_server_error() {
            tracing::error!(code, error = %cause, ?causes, "request failed");
        } else {
            tracing::debug!(code, error = %cause, ?causes, "request refused");
        }
    }
}
